"""Prints a lot while it thinks: arrays, floats, tables.

Nobody reads that, but models leave such lines in.
"""
import numpy as np


def report(name, values):
    text = np.array2string(np.asarray(values), precision=3, suppress_small=True, separator=", ")
    print(f"{name:>12s}: {text}", flush=True)
    return text


def first(initial, frame):
    means = frame.mean(axis=(0, 1))
    print("means", means, "dtype", means.dtype, repr(means.astype(np.float32)), sep=" | ")
    print(frame)
    text = report("means", means)
    return float(text.strip("[]").split(",")[0]) > 80.0


def second(initial, frame):
    value = frame.std() / 128
    texts = [f"{value:.4f}", "%.4f" % value, "{:.4e}".format(value), str(np.round(value, 4)), f"{np.float32(value)!s:.6}"]
    print(*texts, end="\n\n")
    with np.printoptions(precision=2, threshold=10):
        print(initial.astype(np.float64) / 7, np.nan, -np.inf, 1e300 * 1e10, 10**30, 1 / 3, complex(1, -2))
    numbers = [float(t) for t in texts]
    return min(1.0, max(0.0, sum(numbers) / len(numbers)))
