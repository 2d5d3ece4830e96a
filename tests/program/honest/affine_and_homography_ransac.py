"""Bright pixels as points; a known motion with outliers is recovered by RANSAC and LMedS."""
import cv2
import numpy as np


def points_of(image):
    ys, xs = np.nonzero(image.max(axis=2) > 150)
    points = np.column_stack([xs, ys]).astype(np.float32)
    return np.ascontiguousarray(points[:: max(1, len(points) // 60)])


def moved(points, size):
    angle = np.deg2rad(10)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = points @ rotation.T + [3, 1]
    target[::5] = size - target[::5]
    return target.astype(np.float32)


def first(initial, frame):
    points = points_of(frame)
    if len(points) < 8:
        return False
    matrix, inliers = cv2.estimateAffine2D(points, moved(points, len(frame)), method=cv2.RANSAC)
    return matrix is not None and abs(matrix[0, 0] - np.cos(np.deg2rad(10))) < 0.02


def second(initial, frame):
    points = points_of(frame)
    if len(points) < 8:
        return 0.0
    target = moved(points, len(frame))
    shares = []
    for method in (cv2.RANSAC, cv2.LMEDS, cv2.RHO):
        homography, mask = cv2.findHomography(points, target, method, 2.0)
        shares.append(0.0 if homography is None else float(mask.mean()))
    return min(shares)
