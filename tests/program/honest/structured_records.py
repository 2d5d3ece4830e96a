"""One record per object, in a structured array, sorted by several fields."""
import cv2
import numpy as np

OBJECT = np.dtype([("area", "i4"), ("x", "f4"), ("y", "f4"), ("colour", "U6")])
NAMES = np.array(["red", "green", "blue"])


def objects(image):
    binary = (image.max(axis=2) > 140).astype(np.uint8)
    n, labels, stats, centres = cv2.connectedComponentsWithStats(binary)
    records = np.zeros(n - 1, dtype=OBJECT)
    for i in range(1, n):
        mean = image[labels == i].mean(axis=0)
        records[i - 1] = (stats[i, cv2.CC_STAT_AREA], *centres[i], NAMES[mean.argmax()])
    return np.sort(records, order=["area", "x"])[::-1]


def first(initial, frame):
    found = objects(frame)
    return bool(len(found) and found[0]["colour"] == "blue")


def second(initial, frame):
    found = objects(frame)
    if found.size == 0:
        return 0.0
    reds = found[found["colour"] == "red"]
    return float(reds["area"].sum() / found["area"].sum())
