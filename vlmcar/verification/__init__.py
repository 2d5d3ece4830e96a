"""Stage 4: programs -> a verdict with reasons, and the store of accepted programs."""
