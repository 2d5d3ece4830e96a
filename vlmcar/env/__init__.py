"""Stage 1: a task gives frames, images, trajectories and vector environments."""
