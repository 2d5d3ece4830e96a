"""The place of the cheese in the first picture no longer looks as it did."""
import numpy as np


def reach_cheese(initial, frame):
    red, green, blue = (initial[..., n].astype(int) for n in range(3))
    place = (red > 225) & (green > 120) & (green - blue > 60)
    if not place.any():
        return False
    now = frame[place].astype(int)
    return bool((now[:, 0] > 225).mean() < 0.3)
