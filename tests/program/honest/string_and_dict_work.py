"""Text maps of the level, as one prints them, parsed again."""
import numpy as np

SYMBOLS = {0: ".", 1: "#", 2: "o", 3: "@"}
WALKABLE = frozenset(".o@")


def as_text(image, size=8):
    h, w = image.shape[0] // size, image.shape[1] // size
    levels = image[: size * h, : size * w].reshape(size, h, size, w, 3).max(axis=(1, 3, 4)) // 64
    return "\n".join("".join(SYMBOLS[int(v)] for v in row) for row in levels)


def first(initial, frame):
    before, after = as_text(initial).splitlines(), as_text(frame).splitlines()
    different = [(y, x) for y, row in enumerate(after) for x, s in enumerate(row) if s != before[y][x]]
    return bool(different) and min(different)[0] < 4


def second(initial, frame):
    text = as_text(frame)
    print(text.replace("#", "\u2588"))
    counts = {symbol: text.count(symbol) for symbol in sorted(set(text) - {"\n"})}
    walkable = sum(n for symbol, n in counts.items() if symbol in WALKABLE)
    *_, last = text.rpartition("\n")
    return walkable / 64 * 0.9 + last.strip(".").count("@") / 80
