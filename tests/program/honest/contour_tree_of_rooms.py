"""Rooms inside of walls: nested contours, and whether the bright spot lies in the largest one."""
import cv2
import numpy as np


def tree(image):
    edges = cv2.Canny(image, 60, 120)
    closed = cv2.dilate(edges, np.ones((2, 2), np.uint8))
    contours, hierarchy = cv2.findContours(closed, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if hierarchy is None:
        return [], np.zeros((0, 4), int)
    return contours, hierarchy[0]


def depth(hierarchy, index):
    parent = hierarchy[index][3]
    return 0 if parent < 0 else 1 + depth(hierarchy, parent)


def first(initial, frame):
    contours, _ = tree(frame)
    if not contours:
        return False
    y, x = np.unravel_index(frame.sum(axis=2).argmax(), frame.shape[:2])
    room = max(contours, key=cv2.contourArea)
    return cv2.pointPolygonTest(room, (float(x), float(y)), measureDist=False) >= 0


def second(initial, frame):
    contours, hierarchy = tree(frame)
    depths = [depth(hierarchy, i) for i in range(len(contours))]
    return sum(depths) / (1 + sum(depths) + len(depths))
