"""Colour distance in CIE LAB.

The goal square is pure green; success is when the nearest pixel is within a just-noticeable difference,
and progress is how much of the frame looks like it.
"""
import cv2
import numpy as np

TARGET_RGB = np.uint8([[[20, 230, 20]]])


def delta_e(image):
    lab = cv2.cvtColor(image.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    goal = cv2.cvtColor(TARGET_RGB.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    return np.sqrt(((lab - goal) ** 2).sum(axis=2))


def first(initial, frame):
    return delta_e(frame).min() < 2.3


def second(initial, frame):
    distance = delta_e(frame)
    return float(np.exp(-distance / 40.0).mean())
