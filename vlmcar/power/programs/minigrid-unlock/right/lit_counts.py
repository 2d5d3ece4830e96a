"""Pixels that are not black, counted per cell: a key has 150 to 230, a door is full but for its own shading."""
import numpy as np

S = 32


def cells(picture):
    rows, columns = picture.shape[0] // S, picture.shape[1] // S
    return picture.reshape(rows, S, columns, S, 3).swapaxes(1, 2)[:, :, 1:, 1:]


def lit(picture):
    return (cells(picture).max(axis=4) > 30).sum(axis=(2, 3))


def door(initial):
    """A full cell with more than one shade in it."""
    shades = cells(initial).max(axis=4).astype(int)
    spread = shades.max(axis=(2, 3)) - shades.min(axis=(2, 3))
    full = (lit(initial) > 900) & (spread > 30)
    return np.unravel_index(full.argmax(), full.shape)


def is_key(picture):
    counts = lit(picture)
    heights = (cells(picture).max(axis=4) > 30).any(axis=3).sum(axis=2)
    widths = (cells(picture).max(axis=4) > 30).any(axis=2).sum(axis=2)
    return (counts > 130) & (counts < 260) & (heights > 22) & (widths < 15)


def take_key(initial, frame):
    keys = is_key(frame)
    keys[door(initial)] = False
    return bool(not keys.any())


def open_door(initial, frame):
    return bool(lit(frame)[door(initial)] < 600)
