"""What users do wrong, and the line that each sees: ``python -m tests.bad_input`` writes ``docs/errors.md``."""
