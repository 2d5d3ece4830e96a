"""``import vlmcar``: the reward for environments and training loops that are not ours.

Names in ``vlmcar.__all__`` are public; `docs/stability.md` says what that promises. The modules here are not.
"""
