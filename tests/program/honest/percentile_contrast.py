"""Robust contrast: percentiles, medians and quantiles instead of extremes."""
import numpy as np


def first(initial, frame):
    low, middle, high = np.percentile(frame, [5, 50, 95])
    return bool(high - middle > middle - low)


def second(initial, frame):
    gray = frame.mean(axis=2)
    quartiles = np.quantile(gray, (0.25, 0.75), method="midpoint")
    mad = np.median(np.abs(gray - np.median(gray)))
    trimmed = np.sort(gray, axis=None)[gray.size // 10 : -gray.size // 10].mean()
    return float(np.clip((np.diff(quartiles)[0] + mad + trimmed) / 512, 0, 1))
