"""Each 32-pixel cell is named by the colour that most of its bright pixels are nearest to; numpy only."""
import numpy as np

CELL = 32
COLOURS = np.array([[0, 0, 0], [100, 100, 100], [255, 255, 0], [0, 255, 0], [255, 0, 0]], np.int32)
BLACK, GREY, YELLOW, GREEN, RED = range(5)


def shares(picture):
    """Fraction of each cell's pixels per colour: (rows, columns, 5); every other pixel is looked at."""
    pixels = picture[::2, ::2].astype(np.int32)
    distance = np.stack([((pixels - colour) ** 2).sum(axis=2) for colour in COLOURS], axis=2)
    nearest = distance.argmin(axis=2)
    rows, columns, half = picture.shape[0] // CELL, picture.shape[1] // CELL, CELL // 2
    cells = nearest.reshape(rows, half, columns, half)
    return np.stack([(cells == colour).mean(axis=(1, 3)) for colour in range(5)], axis=2)


def place(cells, colour):
    return np.unravel_index(cells[:, :, colour].argmax(), cells.shape[:2])


def pick_up_key(initial, frame):
    before, now = shares(initial), shares(frame)
    door = place(before, YELLOW)
    keys = before[:, :, YELLOW] > 0.02
    keys[door] = False
    key = tuple(np.argwhere(keys)[0])
    lies_elsewhere = now[:, :, YELLOW] > 0.02
    lies_elsewhere[door] = False
    return bool(now[key][YELLOW] < 0.02 and not lies_elsewhere.any())


def open_door(initial, frame):
    before, now = shares(initial), shares(frame)
    door = place(before, YELLOW)
    return bool(now[door][YELLOW] < 0.6 * before[door][YELLOW])


def reach_goal(initial, frame):
    before, now = shares(initial), shares(frame)
    return place(now, RED) == place(before, GREEN)
