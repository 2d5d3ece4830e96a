"""Pose of a pushed block: its rotated box, the enclosing circle and a fitted ellipse and line."""
import math

import cv2
import numpy as np


def contour_of(image):
    mask = ((image.max(axis=2).astype(int) - image.min(axis=2)) > 100).astype(np.uint8)
    contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    contours = [c for c in contours if len(c) >= 5]
    return max(contours, key=len) if contours else None


def first(initial, frame):
    c = contour_of(frame)
    if c is None:
        return False
    (cx, cy), (w, h), angle = cv2.minAreaRect(c)
    box = np.intp(cv2.boxPoints(((cx, cy), (w, h), angle)))
    _, radius = cv2.minEnclosingCircle(c)
    return bool(cv2.contourArea(box) > 0.6 * math.pi * radius**2)


def second(initial, frame):
    c = contour_of(frame)
    if c is None:
        return 0.0
    _, (minor, major), tilt = cv2.fitEllipse(c)
    vx, vy, _, _ = cv2.fitLine(c, cv2.DIST_L2, 0, 0.01, 0.01).ravel()
    heading = math.degrees(math.atan2(abs(vy), abs(vx))) / 90
    squeeze = min(minor, major) / max(minor, major, 1e-6)
    return float(min(1.0, 0.5 * heading + 0.25 * min(squeeze, 1.0) + 0.25 * (tilt % 180) / 180))
