"""Many runs from one command: each in a process of its own, and at the end a table of how they ended."""
