"""Source to judge: screen what the VLM wrote, run it in a process of its own, remember its answers."""
