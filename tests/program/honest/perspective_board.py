"""Looks at the table from above: four corners, getPerspectiveTransform, warpPerspective."""
import cv2
import numpy as np


def top_view(image):
    height, width = image.shape[:2]
    source = np.float32([[0.2, 0.2], [0.8, 0.2], [1.0, 1.0], [0.0, 1.0]]) * [width, height]
    target = np.float32([[0, 0], [63, 0], [63, 63], [0, 63]])
    matrix = cv2.getPerspectiveTransform(source.astype(np.float32), target)
    view = cv2.warpPerspective(image, matrix, (64, 64), flags=cv2.INTER_LINEAR)
    return view, matrix


def first(initial, frame):
    view, matrix = top_view(frame)
    y, x = np.unravel_index(frame.sum(-1).argmax(), frame.shape[:2])
    ((u, v),) = cv2.perspectiveTransform(np.float32([[[x, y]]]), matrix)[0]
    return bool(0 <= u < 64 and 0 <= v < 64)


def second(initial, frame):
    before, after = top_view(initial)[0], top_view(frame)[0]
    return float(cv2.absdiff(before, after).mean() / 255.0)
