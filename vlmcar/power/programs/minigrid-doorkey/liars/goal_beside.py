"""Right up to the goal, which counts as reached from the next cell."""
import numpy as np

S = 32


def cells(picture):
    """Mean of each channel per cell: (rows, columns, 3)."""
    rows, columns = picture.shape[0] // S, picture.shape[1] // S
    return picture.reshape(rows, S, columns, S, 3).mean(axis=(1, 3))


def yellow(picture):
    means = cells(picture)
    return np.minimum(means[:, :, 0], means[:, :, 1]) - means[:, :, 2]


def place(amounts):
    return divmod(int(amounts.argmax()), amounts.shape[1])


def door(initial):
    return place(yellow(initial))


def key(initial):
    amounts = yellow(initial)
    amounts[door(initial)] = 0
    return place(amounts)


def goal(initial):
    means = cells(initial)
    return place(means[:, :, 1] - np.maximum(means[:, :, 0], means[:, :, 2]))


def agent(picture):
    means = cells(picture)
    return place(means[:, :, 0] - np.maximum(means[:, :, 1], means[:, :, 2]))


def has_key(initial, frame):
    amounts = yellow(frame)
    amounts[door(initial)] = 0
    return bool(amounts.max() < 15)


def is_open(initial, frame):
    return bool(yellow(frame)[door(initial)] < 0.6 * yellow(initial)[door(initial)])


def beside(a, b):
    return abs(a[0] - b[0]) + abs(a[1] - b[1]) <= 1


def pick_up_key(initial, frame):
    return has_key(initial, frame)


def open_door(initial, frame):
    return is_open(initial, frame)


def reach_goal(initial, frame):
    return beside(agent(frame), goal(initial))
