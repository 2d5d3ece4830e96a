"""The figures of the VLM-CaR paper's MiniGrid environments, from runs of this suite: ``python -m vlmcar.paper``.

plan (what is there, how long the rest takes) -> sweeps -> figures and pages.
"""
