"""Paints over bright text with its surroundings and asks how much that changes the picture."""
import cv2
import numpy as np


def restored(image, method):
    mask = cv2.inRange(image, (200, 200, 200), (255, 255, 255))
    mask[:2, :] = 255
    return cv2.inpaint(image, cv2.dilate(mask, np.ones((3, 3), np.uint8)), 3, method)


def first(initial, frame):
    telea = restored(frame, cv2.INPAINT_TELEA).astype(np.int16)
    navier = restored(frame, cv2.INPAINT_NS).astype(np.int16)
    return bool(np.abs(telea - navier).max() > 24)


def second(initial, frame):
    change = cv2.absdiff(restored(frame, cv2.INPAINT_TELEA), frame)
    return np.float32(min(1.0, change.mean() / 64))
