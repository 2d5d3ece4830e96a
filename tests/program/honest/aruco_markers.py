"""Markers on the cube: the dictionary's bits are drawn and detected again, dimmed by the frame."""
import cv2
import numpy as np

MARKER, SIDE = 40, 120


def first(initial, frame):
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    detector = cv2.aruco.ArucoDetector(dictionary)
    corners, ids, rejected = detector.detectMarkers(cv2.resize(frame, (128, 128)))
    return ids is not None or len(rejected) > 1


def second(initial, frame):
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_100)
    number = int(frame[..., 0].sum(dtype=np.int64)) % 100
    canvas = np.full((SIDE, SIDE), 255, np.uint8)
    start = (SIDE - MARKER) // 2
    canvas[start:-start, start:-start] = cv2.aruco.generateImageMarker(dictionary, number, MARKER)
    corners, ids, _ = cv2.aruco.ArucoDetector(dictionary).detectMarkers(canvas)
    return 0.0 if ids is None else float(ids[0, 0]) / 100
