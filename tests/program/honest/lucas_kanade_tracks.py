"""Follows corners from the initial image and asks whether they went right."""
import cv2
import numpy as np

LK = dict(winSize=(9, 9), maxLevel=2, criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03))


def tracks(initial, frame):
    old, new = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (initial, frame))
    points = cv2.goodFeaturesToTrack(old, 25, 0.05, 4, blockSize=3)
    if points is None:
        return np.zeros((0, 2), np.float32)
    levels, pyramid = cv2.buildOpticalFlowPyramid(old, LK["winSize"], LK["maxLevel"])
    moved, status, _ = cv2.calcOpticalFlowPyrLK(old, new, points, None, **LK)
    back, status_back, _ = cv2.calcOpticalFlowPyrLK(new, old, moved, None, **LK)
    trusted = (status.ravel() == 1) & (np.abs(points - back).reshape(-1, 2).max(axis=-1) < 1)
    return (moved - points).reshape(-1, 2)[trusted] if levels >= 0 else points.reshape(-1, 2)


def first(initial, frame):
    flow = tracks(initial, frame)
    return len(flow) > 0 and bool(np.median(flow[:, 0]) > 0.5)


def second(initial, frame):
    flow = tracks(initial, frame)
    if not len(flow):
        return 0.0
    return float(np.tanh(np.linalg.norm(flow, axis=1).mean()))
