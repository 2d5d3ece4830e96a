"""Stage 2: images -> sub-tasks -> program, in a conversation with a VLM."""
