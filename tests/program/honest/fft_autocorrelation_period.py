"""The period of tiles, from the autocorrelation of the picture."""
import numpy as np


def autocorrelation(gray):
    spectrum = np.fft.fft2(gray - gray.mean())
    return np.real(np.fft.ifft2(np.abs(spectrum) ** 2))


def first(initial, frame):
    signal = frame.mean(axis=(0, 2))
    power = np.abs(np.fft.rfft(signal - signal.mean())) ** 2
    smooth = np.fft.irfft(np.fft.rfft(signal)[:4], n=len(signal))
    return bool(power[1:].argmax() >= 2 and np.ptp(smooth) > 5)


def second(initial, frame):
    correlation = autocorrelation(frame.mean(axis=2))
    if correlation[0, 0] <= 1e-9:
        return 0.0
    row = np.fft.fftshift(correlation[0])[len(correlation) // 2 + 2 :]
    frequencies = np.fft.fftfreq(frame.shape[0])
    assert frequencies[0] == 0
    return float(np.clip(row.max() / correlation[0, 0], 0, 1))
