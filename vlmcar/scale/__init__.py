"""Thousands of fake runs by hundreds of writers, through the real store and record code: where does it bend?

`fake.py` is one run without training, `crew.py` the writers, `check.py` looks at what they left, `scans.py` times who
reads it. Nothing here imports torch, so that two hundred processes fit a small machine.
"""
