"""The cheese is orange to yellow and brighter than the walls; when it is eaten, none of it is left."""
import cv2
import numpy as np


def cheese(picture):
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    return cv2.inRange(hsv, (12, 120, 225), (35, 255, 255)) > 0


def reach_cheese(initial, frame):
    return bool(cheese(initial).any() and not cheese(frame).any())
