"""The 3 x 3 pixels of the cheese, found as the strongest orange, lose most of their red minus blue."""
import cv2
import numpy as np


def orange(picture):
    p = picture.astype(np.float32)
    strength = np.clip(p[..., 0] - p[..., 2] - 112, 0, None)
    return cv2.blur(strength, (3, 3))


def reach_cheese(initial, frame):
    before = orange(initial)
    y, x = np.unravel_index(before.argmax(), before.shape)
    return bool(before.max() > 10 and orange(frame)[y, x] < 0.25 * before[y, x])
