"""Global thresholds of every kind."""
import cv2
import numpy as np

KINDS = [cv2.THRESH_BINARY, cv2.THRESH_BINARY_INV, cv2.THRESH_TRUNC, cv2.THRESH_TOZERO, cv2.THRESH_TOZERO_INV]


def first(initial, frame):
    gray = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (5, 5), 0)
    otsu, _ = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    triangle, _ = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_TRIANGLE)
    return otsu > triangle


def second(initial, frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    means = [cv2.threshold(gray, 100, 200, kind)[1].mean() for kind in KINDS]
    return float(np.std(means) / 127.5) if max(means) > 0 else 0.0
