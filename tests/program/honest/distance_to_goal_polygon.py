"""Signed distance of the white agent to the goal polygon, after simplifying it by hand."""
import cv2
import numpy as np


def goal_polygon(image):
    height, width = image.shape[:2]
    unit = min(height, width) / 32
    return np.array([[6, 6], [26, 8], [24, 26], [14, 28], [4, 18]], np.float32) * unit


def agent(image):
    points = np.argwhere(image.min(axis=-1) > 160)
    return tuple(points.mean(axis=0)[::-1].tolist()) if len(points) else None


def first(initial, frame):
    where = agent(frame)
    return where is not None and cv2.pointPolygonTest(goal_polygon(frame), where, False) > 0


def second(initial, frame):
    where = agent(frame)
    if where is None:
        return 0.0
    signed = cv2.pointPolygonTest(goal_polygon(frame), where, True)
    return 1.0 / (1.0 + np.exp(-signed / 4.0))
