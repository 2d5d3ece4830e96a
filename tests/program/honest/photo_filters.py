"""Denoising and painterly filters, to ignore the noise of a camera."""
import cv2
import numpy as np


def thumbnail(image):
    return cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)


def first(initial, frame):
    small = thumbnail(frame)
    clean = cv2.fastNlMeansDenoisingColored(small, None, 5, 5, 3, 7)
    return cv2.PSNR(small, clean) > 40.0


def second(initial, frame):
    small = thumbnail(frame)
    flat = cv2.edgePreservingFilter(small, flags=cv2.RECURS_FILTER, sigma_s=10, sigma_r=0.4)
    shifted = cv2.pyrMeanShiftFiltering(small, 4, 20)
    detailed = cv2.detailEnhance(small)
    gray, boosted = cv2.decolor(small)
    score = np.mean([np.abs(x.astype(int) - small).mean() for x in (flat, shifted, detailed, boosted)])
    return float(np.clip(score / 64 + gray.mean() / 2550, 0, 1))
