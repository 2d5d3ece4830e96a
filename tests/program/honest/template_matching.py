"""The patch from the initial image is found again."""
import cv2 as cv
import numpy as np


def first(initial, frame):
    patch = initial[8:24, 8:24].copy()
    score = cv.matchTemplate(frame, patch, cv.TM_CCOEFF_NORMED)
    _, best, _, where = cv.minMaxLoc(score)
    return best > 0.9 and abs(where[0] - 8) <= 2


def second(initial, frame):
    score = cv.matchTemplate(frame, initial[8:24, 8:24], cv.TM_SQDIFF_NORMED)
    return max(0.0, min(1.0, 1.0 - float(score.min())))
