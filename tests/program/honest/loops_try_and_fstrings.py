"""Pixel loops, lambdas, exceptions, print."""
import numpy as np

is_red = lambda p: int(p[0]) > 150 and int(p[1]) < 100


def first(initial, frame):
    total = 0
    for y in range(0, frame.shape[0], 4):
        for x in range(0, frame.shape[1], 4):
            if is_red(frame[y, x]):
                total += 1
    print(f"{total=} of {frame.size:,d}")
    return total > 2


def second(initial, frame):
    try:
        ys, xs = np.where(frame[:, :, 2] > 180)
        left = sorted(zip(xs.tolist(), ys.tolist()), key=lambda p: (p[0], p[1]))[0]
    except IndexError:
        return 0.0
    assert len(left) == 2, "a pair"
    return 1 - left[0] / frame.shape[1]
