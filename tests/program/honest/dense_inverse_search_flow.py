"""Dense optical flow (DIS): which share of the picture moves, and how."""
import cv2
import numpy as np


def flow(initial, frame):
    old, new = (cv2.resize(cv2.cvtColor(i, cv2.COLOR_RGB2GRAY), (64, 64)) for i in (initial, frame))
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(old, new, None)


def first(initial, frame):
    moving = np.linalg.norm(flow(initial, frame), axis=2) > 1
    return bool(moving.mean() > 0.1)


def second(initial, frame):
    magnitude, angle = cv2.cartToPolar(*cv2.split(flow(initial, frame)), angleInDegrees=True)
    rightwards = (magnitude > 0.5) & ((angle < 45) | (angle > 315))
    return float(np.count_nonzero(rightwards)) / rightwards.size
