"""The documentation is true: its code runs, its commands compose, its site builds without warnings."""
