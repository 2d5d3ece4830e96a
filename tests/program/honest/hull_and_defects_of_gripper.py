"""An open gripper has a notch: a convexity defect between its fingers."""
import cv2
import numpy as np


def biggest(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    _, binary = cv2.threshold(gray, 0, 255, cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    contours = sorted(contours, key=cv2.contourArea, reverse=True)
    return contours[0] if contours else None


def depth_of_notch(contour):
    if contour is None or len(contour) < 4:
        return 0.0
    hull = cv2.convexHull(contour, returnPoints=False)
    hull[::-1].sort(axis=0)
    if len(hull) < 3:
        return 0.0
    defects = cv2.convexityDefects(contour, hull)
    return 0.0 if defects is None else float(defects[:, 0, 3].max()) / 256.0


def first(initial, frame):
    return depth_of_notch(biggest(frame)) > 0.1 * frame.shape[0]


def second(initial, frame):
    contour = biggest(frame)
    if contour is None:
        return 0.0
    hull_area = cv2.contourArea(cv2.convexHull(contour))
    if cv2.isContourConvex(contour) or hull_area == 0:
        return 1.0
    return min(cv2.contourArea(contour) / hull_area, 1.0)
