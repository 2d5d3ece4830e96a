"""Motion between images, blended and saturating arithmetic."""
import cv2 as cv
import numpy as np


def first(initial, frame):
    difference = cv.cvtColor(cv.absdiff(initial, frame), cv.COLOR_RGB2GRAY)
    _, moved = cv.threshold(difference, 25, 255, cv.THRESH_BINARY)
    return cv.countNonZero(moved) > 0.05 * moved.size


def second(initial, frame):
    blend = cv.addWeighted(initial, 0.7, frame, 0.3, 0)
    added = cv.add(initial, frame)
    minus = cv.subtract(initial, frame)
    times = cv.multiply(initial, frame, scale=1 / 255)
    ratio = cv.divide(frame, cv.add(initial, (1, 1, 1, 0)), scale=32)
    scaled = cv.scaleAdd(initial.astype(np.float32), 0.5, frame.astype(np.float32))
    mean, std = cv.meanStdDev(np.concatenate([blend, added, minus, times, ratio], axis=1))
    return min(float(std.mean() / 255 + scaled.mean() / 5000), 1.0)
