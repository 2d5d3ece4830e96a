"""Blobs with the default parameters: dark, round, not too small once enlarged."""
import cv2
import numpy as np


def blobs(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    large = cv2.resize(gray, (160, 160), interpolation=cv2.INTER_LINEAR)
    detector = cv2.SimpleBlobDetector_create()
    return [*detector.detect(large), *detector.detect(255 - large)]


def first(initial, frame):
    return len(blobs(frame)) > 0


def second(initial, frame):
    sizes = [keypoint.size for keypoint in blobs(frame)]
    return float(np.clip(max(sizes, default=0.0) / 160, 0.0, 1.0))
