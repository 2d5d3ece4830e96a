"""The door alone: there is one cell of two shades of one colour, and when it is open, most of it is black."""
import numpy as np


def open_door(initial, frame):
    rows, columns = initial.shape[0] // 32, initial.shape[1] // 32
    before = initial.reshape(rows, 32, columns, 32, 3).max(axis=4)
    now = frame.reshape(rows, 32, columns, 32, 3).max(axis=4)
    full = (before > 30).mean(axis=(1, 3)) > 0.99
    flat = before[:, 1:, :, 1:].std(axis=(1, 3)) < 3
    door = full & ~flat
    return bool(((now > 30).mean(axis=(1, 3)) < 0.6)[door].any())
