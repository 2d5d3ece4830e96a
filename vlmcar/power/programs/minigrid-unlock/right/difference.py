"""What turned black and what lit up between the two pictures, cell by cell."""
import cv2
import numpy as np

S = 32
KEY_AREA = (150, 230)


def _bright(picture):
    return (picture.max(axis=2) > 30).astype(np.float32)


def _per_cell(mask):
    size = (mask.shape[1] // S, mask.shape[0] // S)
    return cv2.resize(mask, size, interpolation=cv2.INTER_AREA) * S * S


def _keys(picture):
    """Cells in which as much is lit as in a key, above and below a triangle's reach."""
    whole = _per_cell(_bright(picture)) - 63
    high = _bright(picture).copy()
    rows = np.arange(picture.shape[0]) % S
    high[(rows < 3) | (rows > 28)] = 0
    high[:, np.arange(picture.shape[1]) % S < 8] = 0
    middle = _per_cell(high)
    left = whole - middle
    return (KEY_AREA[0] < whole) & (whole < KEY_AREA[1]) & (np.abs(left) < 40) & (_tall(picture) > 22)


def _tall(picture):
    lit = (picture.max(axis=2) > 30).reshape(picture.shape[0] // S, S, picture.shape[1] // S, S)
    return lit[:, 1:, :, 1:].any(axis=3).sum(axis=1)


def _door(initial):
    lit = _per_cell(_bright(initial))
    cells = initial.max(axis=2).reshape(initial.shape[0] // S, S, initial.shape[1] // S, S)
    shaded = cells[:, 1:, :, 1:].max(axis=(1, 3)).astype(int) - cells[:, 1:, :, 1:].min(axis=(1, 3)) > 30
    return (lit > 1000) & shaded


def take_key(initial, frame):
    return bool(_keys(frame).sum() < _keys(initial).sum()) or open_door(initial, frame)


def open_door(initial, frame):
    gone = _per_cell(_bright(initial)) - _per_cell(_bright(frame))
    return bool((gone[_door(initial)] > 400).any())
