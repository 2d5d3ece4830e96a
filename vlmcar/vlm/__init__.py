"""Stage 2: messages -> reply, by whichever VLM the config names."""
