"""Cellular automaton: a cell is isolated if none of its eight neighbours is alike."""
import numpy as np


def alive(image):
    return (image.max(axis=2) > 110).astype(np.int8)


def neighbours(cells):
    padded = np.pad(cells, 1, mode="constant")
    h, w = cells.shape
    return sum(padded[dy : dy + h, dx : dx + w] for dy in range(3) for dx in range(3)) - cells


def first(initial, frame):
    cells = alive(frame)
    rolled = sum(np.roll(cells, shift, axis=axis) for axis in (0, 1) for shift in (-1, 1))
    return bool(((rolled == 0) & (cells == 1)).any())


def second(initial, frame):
    cells = alive(frame)
    count = neighbours(cells)
    following = ((count == 3) | ((count == 2) & (cells == 1))).astype(np.int8)
    reflected = np.pad(frame, ((2, 2), (3, 3), (0, 0)), mode="reflect")
    edge = np.pad(frame[..., 0], 1, "edge").astype(float).std() / 1275
    return float(following.mean() * 0.8 + (reflected.mean() / 255) * 0.1 + edge * 0.5)
