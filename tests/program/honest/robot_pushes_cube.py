"""A robot arm pushes a cube to a target.

Sub-tasks
---------
first: the gripper touches the cube (their dilated masks meet).
second: how close the cube is to where the target was in the initial image.
"""
import cv2
import numpy as np

HUES = {"gripper": (100, 130), "cube": (0, 12), "target": (45, 75)}


def mask_of(image, name):
    low, high = HUES[name]
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    return cv2.inRange(hsv, (low, 120, 100), (high, 255, 255))


def centroid(mask):
    m = cv2.moments(mask, True)
    return None if m["m00"] < 4 else np.array([m["m10"], m["m01"]]) / m["m00"]


def first(initial, frame):
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    gripper, cube = (cv2.dilate(mask_of(frame, name), kernel) for name in ("gripper", "cube"))
    return bool(np.any(gripper & cube))


def second(initial, frame):
    cube, target = centroid(mask_of(frame, "cube")), centroid(mask_of(initial, "target"))
    if cube is None:
        return 0.0
    if target is None:
        target = np.array(frame.shape[1::-1]) / 2
    return float(np.exp(-3 * np.linalg.norm(cube - target) / frame.shape[0]))
