"""Stage 5: a judge's answers become the reward of an environment."""
