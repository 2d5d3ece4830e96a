"""A platformer: is the player in the air, and how far along is the level?"""
import cv2
import numpy as np

SKY = np.array([110, 170, 230])
GROUND = np.array([120, 80, 40])


def ground_height(image):
    brown = (np.abs(image.astype(int) - GROUND).max(axis=2) < 25)
    return image.shape[0] - brown.sum(axis=0)


def player(image):
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    mask = (hsv[..., 1] > 170) & (hsv[..., 2] > 180)
    sky = np.abs(image.astype(int) - SKY).max(axis=2) < 25
    ys, xs = np.nonzero(mask & ~sky)
    return (int(xs.mean()), int(ys.max())) if len(xs) > 3 else None


def first(initial, frame):
    if (where := player(frame)) is None:
        return False
    x, feet = where
    return bool(feet + 2 < ground_height(frame)[x])


def second(initial, frame):
    start, now = player(initial), player(frame)
    if start is None or now is None:
        return 0.0
    return min(1.0, max(0.0, 0.5 + (now[0] - start[0]) / frame.shape[1]))
