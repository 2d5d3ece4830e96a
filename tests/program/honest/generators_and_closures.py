"""Generators, closures, comprehension after comprehension."""
import numpy as np


def windows(image, size):
    for y in range(0, image.shape[0] - size + 1, size):
        yield from (image[y : y + size, x : x + size] for x in range(0, image.shape[1] - size + 1, size))


def above(threshold):
    def test(window):
        return float(window.mean()) > threshold

    return test


def countdown(n):
    while n > 0:
        received = yield n
        n -= received or 1


def first(initial, frame):
    bright = above(100)
    return any(bright(w) for w in windows(frame, 8)) and not all(map(bright, windows(frame, 8)))


def second(initial, frame):
    tests = [above(level) for level in countdown(255) if level % 32 == 0]
    passed = [[test(w) for test in tests] for w in windows(frame, frame.shape[0] // 4)]
    table = {i: sum(row) for i, row in enumerate(passed)}
    return sum(table.values()) / (len(tests) * len(table))
