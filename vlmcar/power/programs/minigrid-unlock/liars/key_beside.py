"""The key counts as taken when the agent stands in the cell next to it."""
import numpy as np

S = 32


def lit(picture):
    rows, columns = picture.shape[0] // S, picture.shape[1] // S
    cells = picture.reshape(rows, S, columns, S, 3).swapaxes(1, 2)
    return cells[:, :, 1:, 1:].max(axis=4) > 30


def sizes(picture):
    shapes = lit(picture)
    return shapes.any(axis=3).sum(axis=2), shapes.any(axis=2).sum(axis=2), shapes.sum(axis=(2, 3))


def keys(picture):
    high, wide, _ = sizes(picture)
    return (high >= 23) & (high <= 26) & (wide >= 8) & (wide <= 14)


def doors(initial):
    rows, columns = initial.shape[0] // S, initial.shape[1] // S
    shades = initial.reshape(rows, S, columns, S, 3).max(axis=4)[:, 1:, :, 1:]
    shaded = shades.max(axis=(1, 3)).astype(int) - shades.min(axis=(1, 3)) > 30
    return (sizes(initial)[2] > 900) & shaded


def has_key(initial, frame):
    return bool((keys(initial) & ~keys(frame)).any())


def is_open(initial, frame):
    return bool((sizes(frame)[2][doors(initial)] < 500).any())


def agent(initial, picture):
    """Reddest cell that is no door and shows no key."""
    rows, columns = picture.shape[0] // S, picture.shape[1] // S
    means = picture.reshape(rows, S, columns, S, 3).mean(axis=(1, 3))
    red = means[:, :, 0] - np.maximum(means[:, :, 1], means[:, :, 2])
    red[doors(initial) | keys(picture)] = 0
    return divmod(int(red.argmax()), columns)


def beside_door(initial, frame):
    row, column = np.argwhere(doors(initial))[0]
    a = agent(initial, frame)
    return abs(a[0] - row) + abs(a[1] - column) <= 1


def take_key(initial, frame):
    row, column = np.argwhere(keys(initial))[0]
    a = agent(initial, frame)
    return abs(a[0] - row) + abs(a[1] - column) <= 1


def open_door(initial, frame):
    return is_open(initial, frame)
