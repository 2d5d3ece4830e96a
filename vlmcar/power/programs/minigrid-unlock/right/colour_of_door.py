"""Finds the door by its shading, takes its colour, and looks for a key of that colour in hue and brightness."""
import cv2
import numpy as np

S = 32


def door(initial):
    best, place = 0, (0, 0)
    for r in range(initial.shape[0] // S):
        for c in range(initial.shape[1] // S):
            cell = initial[r * S : (r + 1) * S, c * S : (c + 1) * S].astype(int)
            border, inside = cell[31, 8], cell[5, 5]
            if border.max() > 80 and inside.max() > 30 and np.abs(border - inside).max() > best:
                best, place = np.abs(border - inside).max(), (r, c)
    return place


def colour(initial):
    r, c = door(initial)
    return initial[r * S + 31, c * S + 8].astype(int)


def pixels_of(picture, which):
    return (np.abs(picture.astype(int) - which).max(axis=2) < 30).astype(np.uint8)


def keys(initial, picture):
    """Things of the door's colour that are higher than wide, where the first picture has no door."""
    r0, c0 = door(initial)
    _, _, stats, centres = cv2.connectedComponentsWithStats(pixels_of(picture, colour(initial)), connectivity=8)
    found = []
    for (x, y, width, height, area), (cx, cy) in zip(stats[1:], centres[1:]):
        if (int(cy) // S, int(cx) // S) == (r0, c0):
            continue
        if 20 <= height <= 28 and 8 <= width <= 14 and 100 < area < 260:
            found.append((x, y))
    return found


def take_key(initial, frame):
    return len(keys(initial, frame)) < len(keys(initial, initial)) or open_door(initial, frame)


def open_door(initial, frame):
    r, c = door(initial)
    cell = frame[r * S + 2 : r * S + 30, c * S + 2 : c * S + 26]
    return bool((cell.max(axis=2) > 30).mean() < 0.5)
