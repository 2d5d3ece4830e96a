"""Small bright things (coins, keys) by top-hat, small dark things (holes, spikes) by black-hat."""
import cv2
import numpy as np

RECT = cv2.getStructuringElement(cv2.MORPH_RECT, (7, 7))
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (5, 5))


def first(initial, frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    top = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, RECT)
    black = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, RECT)
    return bool(top.sum(dtype=np.int64) > black.sum(dtype=np.int64))


def second(initial, frame):
    gray = frame.max(axis=-1)
    binary = np.where(gray > 128, 255, 0).astype(np.uint8)
    outline = cv2.morphologyEx(binary, cv2.MORPH_GRADIENT, CROSS)
    closed = cv2.morphologyEx(binary, cv2.MORPH_CLOSE, CROSS, borderType=cv2.BORDER_REFLECT)
    corner = np.array([[0, 1, 0], [-1, 1, 1], [-1, -1, 0]], dtype=np.int8)
    corners = cv2.morphologyEx(binary, cv2.MORPH_HITMISS, corner)
    return (np.mean(outline) + np.mean(closed) + np.mean(corners)) / (3 * 255)
