"""The cell of the key and that of the door, compared with what they show at first."""
import cv2
import numpy as np

S = 32


def things(picture):
    """Per cell: share of the inner pixels that are neither black nor of the wall's flat grey."""
    rows, columns = picture.shape[0] // S, picture.shape[1] // S
    found = {}
    for r in range(rows):
        for c in range(columns):
            cell = picture[r * S + 2 : r * S + 30, c * S + 2 : c * S + 30]
            spread = int(cell.max()) - int(cell.min())
            if spread > 20:  # neither floor nor wall
                found[r, c] = float((cell.max(axis=2) > 30).mean())
    return found


def pixels(picture, place):
    r, c = place
    return picture[r * S + 1 : r * S + 32, c * S + 1 : c * S + 32]


def key_place(initial):
    """The agent's triangle is the other thing that does not fill its cell; a key is tall and thin."""
    for place, share in things(initial).items():
        if share < 0.6:
            lit = pixels(initial, place).max(axis=2) > 30
            if lit.any(axis=1).sum() > 22 and lit.any(axis=0).sum() < 15:
                return place
    return None


def door_place(initial):
    shares = things(initial)
    return max(shares, key=lambda place: shares[place])


def key_left_its_place(initial, frame):
    place = key_place(initial)
    if place is None:
        return False
    return bool(cv2.absdiff(pixels(initial, place), pixels(frame, place)).mean() > 4)


def open_door(initial, frame):
    place = door_place(initial)
    before, now = pixels(initial, place), pixels(frame, place)
    return bool((now.max(axis=2) < 20).mean() > 0.4 and (before.max(axis=2) < 20).mean() < 0.2)
