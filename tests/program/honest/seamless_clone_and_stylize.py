"""Puts the middle of the frame into the initial image, without a seam, and looks at the difference."""
import cv2
import numpy as np


def first(initial, frame):
    small = cv2.resize(frame, (40, 40), interpolation=cv2.INTER_AREA)
    drawn, coloured = cv2.pencilSketch(small, sigma_s=10, sigma_r=0.1, shade_factor=0.05)
    return bool(drawn.mean() > 127) or bool(coloured.std() > 60)


def second(initial, frame):
    back, front = (cv2.resize(image, (48, 48)) for image in (initial, frame))
    mask = np.zeros((48, 48), np.uint8)
    cv2.circle(mask, (24, 24), 12, 255, -1)
    mixed = cv2.seamlessClone(front, back, mask, (24, 24), cv2.NORMAL_CLONE)
    style = cv2.stylization(mixed, sigma_s=10, sigma_r=0.3)
    return float(np.abs(style.astype(float) - back).mean()) / 255.0
