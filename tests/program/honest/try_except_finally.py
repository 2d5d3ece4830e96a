"""Every kind of exception handling; what cannot be measured counts as zero."""
import cv2
import numpy as np


def centre(mask):
    points = np.argwhere(mask)
    if not len(points):
        raise ValueError("nothing to see")
    return points.mean(axis=0)


def distance(image):
    try:
        a, b = (centre(image[..., channel] > 180) for channel in (0, 2))
    except ValueError as error:
        raise LookupError(f"no pair: {error}") from error
    return float(np.linalg.norm(a - b))


def first(initial, frame):
    steps = ["shape"]
    try:
        cv2.cvtColor(frame[..., :2], cv2.COLOR_RGB2GRAY)
    except cv2.error:
        steps.append("as expected")
    finally:
        steps.append("done")
    try:
        assert distance(frame) < 0.35 * len(frame)
    except (LookupError, AssertionError):
        return False
    return len(steps) == 3


def second(initial, frame):
    try:
        return 1 / (1 + distance(frame))
    except LookupError:
        return 0.0
