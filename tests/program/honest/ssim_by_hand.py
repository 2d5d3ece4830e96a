"""Structural similarity, written out as in the paper."""
import cv2
import numpy as np

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    blur = lambda image: cv2.GaussianBlur(image, (7, 7), 1.5)
    mu_a, mu_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mu_a**2, blur(b * b) - mu_b**2
    cov = blur(a * b) - mu_a * mu_b
    numerator = (2 * mu_a * mu_b + C1) * (2 * cov + C2)
    denominator = (mu_a**2 + mu_b**2 + C1) * (var_a + var_b + C2)
    return float((numerator / denominator).mean())


def first(initial, frame):
    return ssim(initial, frame) < 0.9


def second(initial, frame):
    return min(1.0, max(0.0, (1 + ssim(initial, frame)) / 2))
