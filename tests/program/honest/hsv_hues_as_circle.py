"""Mean hue on the circle, weighted by saturation, with numpy's own HSV conversion."""
import numpy as np


def hue_saturation(image):
    x = image.astype(np.float32) / 255
    high, low = x.max(axis=2), x.min(axis=2)
    chroma = np.where(high > low, high - low, 1)
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    hue = np.where(high == r, (g - b) / chroma % 6, np.where(high == g, (b - r) / chroma + 2, (r - g) / chroma + 4))
    return hue * 60, (high - low) / np.maximum(high, 1e-6)


def first(initial, frame):
    hue, saturation = hue_saturation(frame)
    angle = np.deg2rad(hue)
    mean = np.arctan2((np.sin(angle) * saturation).sum(), (np.cos(angle) * saturation).sum())
    return bool(0 < np.rad2deg(mean) % 360 < 180)


def second(initial, frame):
    hue, saturation = hue_saturation(frame)
    strong = saturation > 0.6
    return np.float32(0.0) if not strong.any() else np.float32(np.std(hue[strong], dtype=np.float64) / 180)
