"""Frequencies: low-pass by dft, compactness by dct, correlation by mulSpectrums."""
import cv2
import numpy as np


def first(initial, frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    rows, cols = cv2.getOptimalDFTSize(gray.shape[0]), cv2.getOptimalDFTSize(gray.shape[1])
    padded = cv2.copyMakeBorder(gray, 0, rows - gray.shape[0], 0, cols - gray.shape[1], cv2.BORDER_CONSTANT, value=0)
    spectrum = np.fft.fftshift(cv2.dft(np.float32(padded), flags=cv2.DFT_COMPLEX_OUTPUT), axes=(0, 1))
    magnitude = cv2.magnitude(spectrum[..., 0], spectrum[..., 1])
    row, col = rows // 2, cols // 2
    return bool(magnitude[row - 3 : row + 4, col - 3 : col + 4].sum() > 0.4 * magnitude.sum())


def second(initial, frame):
    a, b = (np.float32(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) / 255 for image in (initial, frame))
    product = cv2.mulSpectrums(cv2.dft(a), cv2.dft(b), 0, conjB=True)
    correlation = cv2.idft(product, flags=cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
    y, x = np.unravel_index(correlation.argmax(), correlation.shape)
    compact = np.abs(cv2.dct(b))[:8, :8].sum() / (np.abs(cv2.dct(b)).sum() + 1e-6)
    return float(np.clip(0.5 * compact + 0.5 * (x + y) / sum(correlation.shape), 0, 1))
