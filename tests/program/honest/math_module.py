"""Geometry with the standard math module only, over a coarse grid of samples."""
import math
from math import atan2, cos, degrees, fsum, pi, sin


def samples(frame, n=24, radius=0.4):
    h, w, _ = frame.shape
    for k in range(n):
        angle = 2 * pi * k / n
        x, y = w / 2 + radius * w * cos(angle), h / 2 + radius * h * sin(angle)
        yield angle, int(frame[math.floor(y), math.floor(x)].max())


def first(initial, frame):
    sx = fsum(v * cos(a) for a, v in samples(frame))
    sy = fsum(v * sin(a) for a, v in samples(frame))
    return 0 <= degrees(atan2(sy, sx)) < 120 and not math.isclose(sx, 0.0, abs_tol=1e-9)


def second(initial, frame):
    values = [v for _, v in samples(frame)]
    geometric = math.exp(fsum(math.log(v + 1) for v in values) / len(values)) - 1
    odd = math.gcd(*values) + math.comb(5, 2) + math.isqrt(sum(values)) + math.ceil(math.log2(1 + max(values)))
    return min(1.0, geometric / 255 * 0.8 + (odd % 50) / 250 + math.erf(0) + math.trunc(0.5))
