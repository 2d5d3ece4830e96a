"""Unwraps the picture around its centre, as for a dial or a turning arm."""
import cv2
import numpy as np


def first(initial, frame):
    height, width = frame.shape[:2]
    flags = cv2.WARP_POLAR_LINEAR + cv2.INTER_LINEAR + cv2.WARP_FILL_OUTLIERS
    polar = cv2.warpPolar(frame, (width // 2, 64), (width / 2, height / 2), width / 2, flags)
    profile = polar.astype(np.float32).mean(axis=(1, 2))
    return bool(profile[:32].mean() > profile[32:].mean())


def second(initial, frame):
    height, width = frame.shape[:2]
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    wave_x = xs + 2 * np.sin(ys / 5).astype(np.float32)
    wave_y = ys + 2 * np.cos(xs / 7).astype(np.float32)
    fixed, fraction = cv2.convertMaps(wave_x, wave_y, cv2.CV_16SC2)
    a = cv2.remap(frame, wave_x, wave_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
    b = cv2.remap(frame, fixed, fraction, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return float(np.abs(a.astype(np.float32) - b).mean() / 255)
