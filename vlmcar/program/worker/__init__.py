"""The other process: it loads one program and judges frames with it.

Started by `vlmcar.program.process` as ``python -m worker``, a package of its own: it imports the standard
library, numpy and cv2 and never vlmcar, so nothing of the trainer comes along. The trainer imports `protocol` alone.
"""
