"""The reddish arm is found in YCrCb, its brightness in GRAY; the answer is how far right it reaches."""
import cv2
import numpy as np


def arm_mask(rgb):
    ycrcb = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    y, cr, cb = cv2.split(ycrcb)
    return (cr > 150) & (cb < 140) & (y > 30)


def first(initial, frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    mask = arm_mask(frame)
    if not mask.any():
        return False
    return bool(gray[mask].mean() > gray.mean())


def second(initial, frame):
    columns = np.flatnonzero(arm_mask(frame).any(axis=0))
    return 0.0 if columns.size == 0 else float(columns[-1] + 1) / frame.shape[1]
