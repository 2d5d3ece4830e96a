"""Run folders to tables, figures and a page. Reads files only; imports no torch, gymnasium or hydra.

results -> statistics -> tables, figures -> page. ``python -m vlmcar.report --help`` says how to run it.
"""
