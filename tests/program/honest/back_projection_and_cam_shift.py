"""Follows the colour of the object in the initial image with back-projection, meanShift and CamShift."""
import cv2
import numpy as np

CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 1)


def back_projection(initial, frame):
    h, w = initial.shape[:2]
    window = (w // 4, h // 4, w // 2, h // 2)
    x, y, ww, hh = window
    roi = cv2.cvtColor(initial[y : y + hh, x : x + ww], cv2.COLOR_RGB2HSV)
    mask = cv2.inRange(roi, (0, 60, 32), (180, 255, 255))
    hist = cv2.calcHist([roi], [0, 1], mask, [16, 8], [0, 180, 0, 256])
    cv2.normalize(hist, hist, 0, 255, cv2.NORM_MINMAX)
    hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
    return cv2.calcBackProject([hsv], [0, 1], hist, [0, 180, 0, 256], 1), window


def first(initial, frame):
    projection, window = back_projection(initial, frame)
    _, moved = cv2.meanShift(projection, window, CRITERIA)
    return moved != window


def second(initial, frame):
    projection, window = back_projection(initial, frame)
    if not projection.any():
        return 0.0
    (cx, cy), (w, h), angle = cv2.CamShift(projection, window, CRITERIA)[0]
    return float(np.clip(cx / frame.shape[1], 0, 1))
