"""Detail per octave: a Laplacian pyramid, built and rebuilt."""
import cv2
import numpy as np


def pyramid(image, levels=3):
    layers, current = [], image.astype(np.float32)
    for _ in range(levels):
        smaller = cv2.pyrDown(current)
        height, width = current.shape[:2]
        layers.append(current - cv2.pyrUp(smaller, dstsize=(width, height)))
        current = smaller
    return layers, current


def first(initial, frame):
    layers, _ = pyramid(frame)
    energies = [float(np.square(layer).mean()) for layer in layers]
    return energies == sorted(energies)


def second(initial, frame):
    layers, top = pyramid(frame)
    rebuilt = top
    for layer in reversed(layers):
        rebuilt = cv2.pyrUp(rebuilt, dstsize=layer.shape[1::-1]) + layer
    assert np.allclose(rebuilt, frame, atol=1e-2), "a pyramid loses nothing"
    return float(np.clip(np.abs(layers[0]).mean() / (np.abs(layers[-1]).mean() + 1.0), 0, 1))
