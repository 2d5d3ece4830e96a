"""Triangulates the bright spots; overlaps of rotated rectangles."""
import cv2
import numpy as np


def spots(image):
    corners = cv2.goodFeaturesToTrack(image.max(axis=2), 12, 0.1, 4)
    return [] if corners is None else [tuple(map(float, c)) for c in corners[:, 0]]


def first(initial, frame):
    height, width = frame.shape[:2]
    subdivision = cv2.Subdiv2D((0, 0, width, height))
    for point in spots(frame):
        subdivision.insert(point)
    triangles = subdivision.getTriangleList() if spots(frame) else ()
    return len(triangles) >= 12


def second(initial, frame):
    points = np.array(spots(frame), np.float32)
    if len(points) < 3:
        return 0.0
    box = cv2.minAreaRect(points)
    other = ((frame.shape[1] / 2, frame.shape[0] / 2), (frame.shape[1] / 2, frame.shape[0] / 3), 20.0)
    kind, region = cv2.rotatedRectangleIntersection(box, other)
    if kind == cv2.INTERSECT_NONE or region is None:
        return 0.0
    return float(np.clip(cv2.contourArea(cv2.convexHull(region)) / (frame.shape[0] * frame.shape[1]), 0, 1))
