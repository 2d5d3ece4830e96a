"""Edge energy by direction: ladders are vertical, platforms are horizontal."""
import cv2
import numpy as np


def gradients(gray):
    gx = cv2.Sobel(gray, cv2.CV_64F, 1, 0, ksize=3)
    gy = cv2.Sobel(gray, cv2.CV_64F, 0, 1, ksize=5)
    sx = cv2.Scharr(gray, cv2.CV_32F, 1, 0)
    return np.abs(gx).mean(), np.abs(gy).mean() / 16, cv2.convertScaleAbs(sx).mean()


def first(initial, frame):
    horizontal, vertical, _ = gradients(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
    return horizontal > vertical


def second(initial, frame):
    """Sharpness: the variance of the Laplacian."""
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    variance = cv2.Laplacian(gray, cv2.CV_64F, ksize=3).var()
    _, _, scharr = gradients(gray)
    return float(np.tanh(variance / 1e4) * 0.5 + scharr / 255 * 0.5)
