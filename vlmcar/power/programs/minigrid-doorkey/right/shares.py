"""A grid of 32-pixel cells: a yellow key, a yellow door in a grey wall, a green goal, a red triangle."""

import cv2
import numpy as np

CELL = 32


def _share(frame, low, high):
    """Fraction of each cell's pixels whose HSV colour lies between low and high."""
    mask = cv2.inRange(cv2.cvtColor(frame, cv2.COLOR_RGB2HSV), low, high) > 0
    rows, columns = mask.shape[0] // CELL, mask.shape[1] // CELL
    return mask.reshape(rows, CELL, columns, CELL).mean(axis=(1, 3))


def _yellow(frame):
    return _share(frame, (25, 100, 60), (35, 255, 255))


def _agent(frame):
    red = _share(frame, (0, 200, 200), (3, 255, 255))
    return np.unravel_index(red.argmax(), red.shape)


def _door(initial):
    return np.unravel_index(_yellow(initial).argmax(), _yellow(initial).shape)


def pick_up_key(initial, frame):
    cells = _yellow(frame) > 0.03
    cells[_door(initial)] = False
    return not cells.any()


def open_door(initial, frame):
    row, column = _door(initial)
    cell = frame[row * CELL + 11 : row * CELL + 14, column * CELL + 11 : column * CELL + 14]
    open_and_empty = cell.max() < 40
    return bool(open_and_empty or _agent(frame) == (row, column))


def reach_goal(initial, frame):
    green = _share(initial, (55, 200, 200), (65, 255, 255))
    return _agent(frame) == np.unravel_index(green.argmax(), green.shape)
