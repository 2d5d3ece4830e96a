"""Key taken, key carried to the door, door open; the agent's heading is where its triangle is thin."""
import numpy as np

S = 32


def grid(picture):
    rows, columns = picture.shape[0] // S, picture.shape[1] // S
    return picture.reshape(rows, S, columns, S, 3).swapaxes(1, 2)  # (rows, columns, S, S, 3)


def lit(picture):
    return grid(picture)[:, :, 1:, 1:].max(axis=4) > 30


def find_door(initial):
    full = lit(initial).mean(axis=(2, 3)) > 0.95
    shades = grid(initial)[:, :, 1:, 1:].max(axis=4).astype(int)
    shaded = (shades.max(axis=(2, 3)) - shades.min(axis=(2, 3))) > 30
    return np.argwhere(full & shaded)[0]


def has_key(picture, door):
    shapes = lit(picture)
    high = shapes.any(axis=3).sum(axis=2)
    wide = shapes.any(axis=2).sum(axis=2)
    keys = (high >= 23) & (high <= 26) & (wide >= 8) & (wide <= 14)
    keys[tuple(door)] = False
    return keys.any()


def agent(picture):
    """Cell and heading (row, column step) of the red triangle."""
    cells = grid(picture).astype(int)
    red = (cells[..., 0] > 200) & (cells[..., 1] < 60) & (cells[..., 2] < 60)
    high, wide = red.any(axis=3).sum(axis=2), red.any(axis=2).sum(axis=2)
    shape = (np.maximum(high, wide) >= 18) & (np.maximum(high, wide) <= 24) & (np.minimum(high, wide) >= 16)
    counts = np.where(shape, red.sum(axis=(2, 3)), 0)
    place = np.array(np.unravel_index(counts.argmax(), counts.shape))
    mask = red[tuple(place)]
    ys, xs = np.nonzero(mask)
    height, width = np.ptp(ys) + 1, np.ptp(xs) + 1
    if width > height:  # left or right: most pixels lie at the flat side
        way = (0, 1) if xs.mean() < (xs.min() + xs.max()) / 2 else (0, -1)
    else:
        way = (1, 0) if ys.mean() < (ys.min() + ys.max()) / 2 else (-1, 0)
    return place, np.array(way)


def take_key(initial, frame):
    return bool(not has_key(frame, find_door(initial)))


def carry_key_to_door(initial, frame):
    if open_door(initial, frame):
        return True
    place, way = agent(frame)
    return bool(take_key(initial, frame) and (place + way == find_door(initial)).all())


def open_door(initial, frame):
    return bool(lit(frame)[tuple(find_door(initial))].mean() < 0.6)
