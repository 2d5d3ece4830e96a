"""The same object again? ORB keypoints and a brute-force matcher with cross-check."""
import cv2
import numpy as np


def features(image):
    big = cv2.resize(image, (128, 128), interpolation=cv2.INTER_LINEAR)
    orb = cv2.ORB_create(nfeatures=100, edgeThreshold=8, patchSize=15, fastThreshold=5)
    return orb.detectAndCompute(cv2.cvtColor(big, cv2.COLOR_RGB2GRAY), None)


def good_matches(initial, frame):
    kp1, des1 = features(initial)
    kp2, des2 = features(frame)
    if des1 is None or des2 is None:
        return []
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    matches = sorted(matcher.match(des1, des2), key=lambda m: m.distance)
    return [(kp1[m.queryIdx].pt, kp2[m.trainIdx].pt) for m in matches if m.distance < 40]


def first(initial, frame):
    return len(good_matches(initial, frame)) >= 20


def second(initial, frame):
    pairs = good_matches(initial, frame)
    if not pairs:
        return 0.0
    moves = [np.hypot(a[0] - b[0], a[1] - b[1]) for a, b in pairs]
    return float(1.0 / (1.0 + np.median(moves)))
