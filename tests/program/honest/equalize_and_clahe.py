"""Makes dark rooms comparable: histogram equalisation, global and local."""
import cv2
import numpy as np


def equalised(image):
    y, cr, cb = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    whole = cv2.equalizeHist(y)
    local = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4)).apply(y)
    return y, whole, local


def first(initial, frame):
    y, whole, local = equalised(frame)
    return bool(np.median(local) > np.median(whole))


def second(initial, frame):
    y, whole, local = equalised(frame)
    return np.clip(np.float64(cv2.absdiff(whole, local).mean()) / 128, 0, 1)
