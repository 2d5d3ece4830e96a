"""Paints over the score before comparing."""
import cv2
import numpy as np


def first(initial, frame):
    frame[:4] = 0
    initial[:4] = 0
    cv2.rectangle(frame, (0, 0), (3, 3), (255, 255, 255), -1)
    return np.any(cv2.absdiff(initial, frame) > 30)


def second(initial, frame):
    frame //= 2
    frame[frame < 40] = 0
    return np.float32(frame.max() / 255)
