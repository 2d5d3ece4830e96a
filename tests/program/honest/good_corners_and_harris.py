"""Corners: Shi-Tomasi, Harris, sub-pixel refinement."""
import cv2
import numpy as np


def first(initial, frame):
    gray = np.float32(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
    response = cv2.cornerHarris(gray, 2, 3, 0.04)
    strong = cv2.dilate(response, None) > 0.1 * response.max()
    return bool(strong.mean() > 0.1 and response.max() > 0)


def second(initial, frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    corners = cv2.goodFeaturesToTrack(gray, maxCorners=30, qualityLevel=0.05, minDistance=3)
    if corners is None:
        return 0.0
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.03)
    refined = cv2.cornerSubPix(gray, corners.copy(), (3, 3), (-1, -1), criteria)
    eigen = cv2.cornerMinEigenVal(gray, 3)
    shift = np.linalg.norm(refined - corners, axis=-1).mean()
    return float(np.clip(len(corners) / 60 + shift / 10 + eigen.mean(), 0, 1))
