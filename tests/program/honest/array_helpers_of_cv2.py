"""cv2's own array functions: reduce, sort, repeat, stack, borders, polar coordinates, norms."""
import cv2
import numpy as np


def first(initial, frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    rows = cv2.reduce(gray, 1, cv2.REDUCE_AVG).ravel()
    columns = cv2.reduce(gray, 0, cv2.REDUCE_MAX).ravel()
    _, high, _, (x, y) = cv2.minMaxLoc(gray)
    return bool(rows.argmax() < len(rows) // 2) and columns[x] == high


def second(initial, frame):
    gray = np.float32(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
    order = cv2.sortIdx(gray, cv2.SORT_EVERY_ROW | cv2.SORT_DESCENDING)
    ranked = cv2.sort(gray, cv2.SORT_EVERY_COLUMN)
    tiled = cv2.repeat(cv2.hconcat([ranked, cv2.transpose(gray)]), 2, 1)
    framed = cv2.copyMakeBorder(tiled, 2, 2, 2, 2, cv2.BORDER_REFLECT)
    powered = cv2.sqrt(cv2.pow(framed / 255, 2)) + cv2.log(framed + 1) / 10 + cv2.exp(-framed / 64)
    phase = cv2.phase(gray + 1, cv2.vconcat([gray[1:], gray[:1]]) + 1)
    value = powered.mean() / 4 + phase.mean() / 40 + order[:, 0].mean() / gray.shape[1] / 4
    return float(min(1.0, value + 0.01 * cv2.checkRange(powered)[0]))
