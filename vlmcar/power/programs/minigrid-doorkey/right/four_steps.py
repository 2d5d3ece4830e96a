"""Statistics of every cell's channels; numpy only. The wall with the door parts the picture in two."""
import numpy as np


def cells(picture):
    """Mean of each channel per cell: (rows, columns, 3)."""
    rows, columns = picture.shape[0] // 32, picture.shape[1] // 32
    return picture.reshape(rows, 32, columns, 32, 3).mean(axis=(1, 3))


def yellowness(means):
    return np.minimum(means[:, :, 0], means[:, :, 1]) - means[:, :, 2]


def door(initial):
    """The door is the yellowest cell: it is filled with it."""
    means = yellowness(cells(initial))
    return divmod(int(means.argmax()), means.shape[1])


def agent(picture):
    means = cells(picture)
    redness = means[:, :, 0] - np.maximum(means[:, :, 1], means[:, :, 2])
    return divmod(int(redness.argmax()), redness.shape[1])


def pick_up_key(initial, frame):
    now = yellowness(cells(frame))
    row, column = door(initial)
    now[row, column] = 0
    return bool(now.max() < 15)


def open_door(initial, frame):
    row, column = door(initial)
    return bool(yellowness(cells(frame))[row, column] < 0.6 * yellowness(cells(initial))[row, column])


def pass_door(initial, frame):
    return agent(frame)[1] > door(initial)[1]


def reach_goal(initial, frame):
    means = cells(initial)
    greenness = means[:, :, 1] - np.maximum(means[:, :, 0], means[:, :, 2])
    goal = divmod(int(greenness.argmax()), greenness.shape[1])
    return agent(frame) == goal
