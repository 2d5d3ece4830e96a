"""Texture energy in windows."""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def first(initial, frame):
    windows = np.lib.stride_tricks.sliding_window_view(frame[..., 0], (8, 8))[::8, ::8]
    return bool(windows.astype(np.float32).std(axis=(-1, -2)).max() > 20)


def second(initial, frame):
    windows = sliding_window_view(frame[..., 1].astype(float), (16, 16))[::16, ::16]
    with np.errstate(divide="ignore", invalid="ignore"):
        energy = np.abs(np.fft.rfft2(windows))[..., 1:, 1:].sum() / windows.sum()
    return float(np.nan_to_num(np.tanh(energy)))
