"""Stage 6: Stable-Baselines3 learns from the reward; evaluation uses the environment's own success."""
