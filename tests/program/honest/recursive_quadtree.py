"""Recursion: splits the picture into quarters until they are plain."""
import numpy as np


def leaves(region, depth=0):
    """How many plain squares the region falls into."""
    if depth == 4 or min(region.shape[:2]) < 2 or np.ptp(region) < 40:
        return 1
    h, w = region.shape[0] // 2, region.shape[1] // 2
    quarters = region[:h, :w], region[:h, w:], region[h:, :w], region[h:, w:]
    return sum(leaves(quarter, depth + 1) for quarter in quarters)


def first(initial, frame):
    return leaves(frame) > 128


def second(initial, frame):
    return leaves(frame[..., 0]) / 4**4
