"""How much of the floor is reached from the darkest cell, with cv2.floodFill and its mask."""
import cv2
import numpy as np


def reachable(image, seed, tolerance):
    height, width = image.shape[:2]
    mask = np.zeros((height + 2, width + 2), np.uint8)
    flags = 4 | (255 << 8) | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
    area, _, mask, rect = cv2.floodFill(
        image.copy(), mask, seed, (0, 0, 0), (tolerance,) * 3, (tolerance,) * 3, flags
    )
    return area, rect


def first(initial, frame):
    height, width = frame.shape[:2]
    area, (_, _, w, h) = reachable(frame, (width // 2, height // 2), 20)
    return area < 0.5 * w * h


def second(initial, frame):
    dark = np.unravel_index(np.argmin(frame.sum(axis=2, dtype=np.uint32)), frame.shape[:2])
    area, _ = reachable(frame, (int(dark[1]), int(dark[0])), 25)
    painted = frame.copy()
    cv2.floodFill(painted, None, (0, 0), (255, 0, 255), 10, 10)
    corner = (painted == (255, 0, 255)).all(axis=-1).mean()
    return float(0.5 * area / frame[..., 0].size + 0.5 * corner)
