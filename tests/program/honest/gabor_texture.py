"""Which direction do stripes run in? A small bank of Gabor filters."""
import cv2
import numpy as np

ANGLES = np.arange(0, np.pi, np.pi / 6)


def responses(image):
    gray = np.float32(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) / 255
    energy = []
    for theta in ANGLES:
        kernel = cv2.getGaborKernel((9, 9), 2.0, theta, 6.0, 0.5, 0, ktype=cv2.CV_32F)
        kernel -= kernel.mean()
        energy.append(float(np.square(cv2.filter2D(gray, cv2.CV_32F, kernel)).mean()))
    return np.asarray(energy)


def first(initial, frame):
    return int(responses(frame).argmax()) in {0, 3}


def second(initial, frame):
    energy = responses(frame)
    total = energy.sum()
    return float(energy.max() / total) if total > 0 else 0.0
