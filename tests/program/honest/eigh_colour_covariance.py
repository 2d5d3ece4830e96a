"""Is the frame colourful? Eigenvalues of the covariance of its colours."""
import numpy as np


def spectrum(image):
    pixels = image.reshape(-1, 3).astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(pixels, rowvar=False))
    return np.maximum(values, 0), vectors


def first(initial, frame):
    values, vectors = spectrum(frame)
    main = np.abs(vectors[:, -1])
    general = np.sort(np.linalg.eigvals(np.diag(values) + 1e-9).real)
    return bool(main.argmax() == 0 and np.allclose(general, values, atol=1e-3))


def second(initial, frame):
    values, _ = spectrum(frame)
    total = values.sum()
    return 0.0 if total == 0 else float(1 - values[-1] / total)
