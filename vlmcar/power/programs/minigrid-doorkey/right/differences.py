"""Looks at what changed between the two pictures, cell by cell, in HSV."""
import cv2
import numpy as np

CELL = 32
YELLOW = ((25, 120, 80), (35, 255, 255))
GREEN = ((50, 120, 80), (70, 255, 255))
RED = ((0, 150, 120), (8, 255, 255))


def _amount(picture, colour):
    mask = cv2.inRange(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV), *colour)
    size = (picture.shape[1] // CELL, picture.shape[0] // CELL)
    return cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(int)


def _door_and_key(initial):
    amounts = _amount(initial, YELLOW)
    order = np.argsort(amounts, axis=None)
    return np.unravel_index(order[-1], amounts.shape), np.unravel_index(order[-2], amounts.shape)


def pick_up_key(initial, frame):
    door, key = _door_and_key(initial)
    lost = _amount(initial, YELLOW) - _amount(frame, YELLOW)
    if lost[key] < 8:
        return False
    lost[key] = lost[door] = 0
    return bool(lost.min() > -8)


def open_door(initial, frame):
    door, _ = _door_and_key(initial)
    row, column = door
    inside = frame[row * CELL + 10 : row * CELL + 14, column * CELL + 10 : column * CELL + 14]
    return bool(inside.max() < 50 or _amount(frame, RED)[door] > 20)


def reach_goal(initial, frame):
    goal = np.unravel_index(_amount(initial, GREEN).argmax(), _amount(initial, GREEN).shape)
    return float(_amount(frame, RED)[goal] > 20)
