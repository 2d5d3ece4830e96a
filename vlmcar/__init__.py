"""Code as Reward: vision-language models write verified reward programs, and RL agents train on them."""

__version__ = "0.1.0"
