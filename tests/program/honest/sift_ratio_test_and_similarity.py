"""SIFT, Lowe's ratio test, and the similarity transform between the two views."""
import cv2
import numpy as np


def correspondences(initial, frame):
    sift = cv2.SIFT_create(nfeatures=80, contrastThreshold=0.02)
    views = [cv2.resize(image, (96, 96)) for image in (initial, frame)]
    (kp1, des1), (kp2, des2) = (sift.detectAndCompute(view, None) for view in views)
    if des1 is None or des2 is None or len(des1) < 2 or len(des2) < 2:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    matches = cv2.BFMatcher().knnMatch(des1, des2, k=2)
    good = [m for m, n in matches if m.distance < 0.75 * n.distance]
    src = np.float32([kp1[m.queryIdx].pt for m in good]).reshape(-1, 2)
    dst = np.float32([kp2[m.trainIdx].pt for m in good]).reshape(-1, 2)
    return src, dst


def first(initial, frame):
    src, _ = correspondences(initial, frame)
    return len(src) >= 8


def second(initial, frame):
    src, dst = correspondences(initial, frame)
    if len(src) < 3:
        return 0.0
    matrix, inliers = cv2.estimateAffinePartial2D(src, dst, method=cv2.RANSAC, ransacReprojThreshold=3)
    if matrix is None:
        return 0.0
    return float(inliers.mean())
