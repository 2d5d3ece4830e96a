"""Channels apart and together again, masks combined bit by bit."""
import cv2
import numpy as np

SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])


def first(initial, frame):
    r, g, b = cv2.split(frame)
    assert (cv2.merge((r, g, b)) == frame).all()
    red = cv2.compare(r, cv2.max(g, b), cv2.CMP_GT)
    bright = cv2.inRange(r, 120, 255)
    both = cv2.bitwise_and(red, bright)
    either = cv2.bitwise_or(red, cv2.bitwise_not(bright))
    return cv2.countNonZero(both) * 3 > cv2.countNonZero(cv2.bitwise_xor(either, both))


def second(initial, frame):
    swapped = np.zeros_like(frame)
    cv2.mixChannels([frame], [swapped], [0, 2, 1, 1, 2, 0])
    sepia = np.clip(cv2.transform(frame, SEPIA), 0, 255)
    alpha = cv2.extractChannel(frame, 1)
    cv2.insertChannel(alpha // 2, swapped, 0)
    masked = cv2.bitwise_and(sepia, swapped, mask=cv2.threshold(alpha, 50, 255, 0)[1])
    return float(masked.mean()) / 255.0
