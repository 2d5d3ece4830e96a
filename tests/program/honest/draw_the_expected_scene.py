"""Draws what success should look like and compares."""
import cv2
import numpy as np


def expected(shape):
    height, width = shape[:2]
    u = width / 32
    at = lambda x, y: (int(x * u), int(y * u))
    canvas = np.zeros(shape, np.uint8)
    cv2.rectangle(canvas, at(2, 2), at(10, 9), (230, 20, 20), cv2.FILLED)
    cv2.circle(canvas, at(22, 8), int(4 * u), (20, 230, 20), -1, cv2.LINE_AA)
    cv2.ellipse(canvas, at(9, 22), at(6, 3), 30, 0, 270, (30, 40, 235), 2)
    cv2.line(canvas, at(0, 31), at(31, 16), (255, 255, 255), 1, cv2.LINE_AA)
    cv2.arrowedLine(canvas, at(16, 30), at(28, 20), (240, 220, 30), 1, tipLength=0.3)
    triangle = np.array([at(20, 14), at(28, 26), at(14, 26)], np.int32).reshape(-1, 1, 2)
    cv2.polylines(canvas, [triangle], isClosed=True, color=(200, 0, 200))
    cv2.fillConvexPoly(canvas, triangle // 2, (90, 90, 90))
    cv2.drawContours(canvas, [triangle], -1, (0, 200, 200), 1)
    cv2.drawMarker(canvas, at(16, 16), (255, 255, 255), cv2.MARKER_STAR, 5)
    return canvas


def first(initial, frame):
    goal = expected(frame.shape)
    return cv2.norm(goal, frame, cv2.NORM_L2) < cv2.norm(goal, initial, cv2.NORM_L2)


def second(initial, frame):
    goal = expected(frame.shape).astype(np.float32)
    error = np.sqrt(np.mean((goal - frame) ** 2))
    return float(1 - error / 255)
