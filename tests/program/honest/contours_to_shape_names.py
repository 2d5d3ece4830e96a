"""Names the shapes on the table: triangle, rectangle, circle."""
import cv2
import numpy as np


def shape_of(contour):
    perimeter = cv2.arcLength(contour, True)
    corners = cv2.approxPolyDP(contour, 0.04 * perimeter, True)
    area = cv2.contourArea(contour)
    if len(corners) == 3:
        return "triangle"
    if len(corners) == 4:
        x, y, w, h = cv2.boundingRect(corners)
        return "square" if 0.9 <= w / h <= 1.1 else "rectangle"
    roundness = 4 * np.pi * area / perimeter**2 if perimeter > 0 else 0
    return "circle" if roundness > 0.7 else "other"


def shapes(image):
    gray = image.max(axis=2)
    _, binary = cv2.threshold(gray, 200, 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return [shape_of(c) for c in contours if cv2.contourArea(c) >= 6]


def first(initial, frame):
    return "triangle" in shapes(frame) or "circle" in shapes(frame)


def second(initial, frame):
    found = shapes(frame)
    return len(set(found)) / 5.0 if found else 0.0
