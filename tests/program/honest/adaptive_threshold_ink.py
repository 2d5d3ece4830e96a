"""Ink (letters, wires, markers) stands out from its neighbourhood whatever the light.

Adaptive mean and Gaussian thresholds; the block size follows the image size.
"""
import cv2 as cv
import numpy as np


def ink(image, method):
    gray = cv.cvtColor(image, cv.COLOR_RGB2GRAY)
    block = max(3, (min(gray.shape) // 4) | 1)
    return cv.adaptiveThreshold(gray, 255, method, cv.THRESH_BINARY_INV, block, 5)


def first(initial, frame):
    mean = ink(frame, cv.ADAPTIVE_THRESH_MEAN_C)
    gauss = ink(frame, cv.ADAPTIVE_THRESH_GAUSSIAN_C)
    disagreement = cv.countNonZero(cv.bitwise_xor(mean, gauss)) / mean.size
    return disagreement > 0.05


def second(initial, frame):
    return np.count_nonzero(ink(frame, cv.ADAPTIVE_THRESH_GAUSSIAN_C)) / (frame.shape[0] * frame.shape[1])
