"""Histograms of oriented gradients, compared by cosine."""
import cv2
import numpy as np


def describe(image):
    hog = cv2.HOGDescriptor((32, 32), (16, 16), (8, 8), (8, 8), 9)
    return hog.compute(cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)).ravel()


def cosine(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-9))


def first(initial, frame):
    return cosine(describe(initial), describe(frame)) > 0.8


def second(initial, frame):
    return min(1.0, max(0.0, cosine(describe(frame), describe(frame[:, ::-1].copy()))))
