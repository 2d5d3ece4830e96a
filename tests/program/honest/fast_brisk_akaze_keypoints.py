"""Counts interest points with several detectors; a rich scene has many."""
import cv2
import numpy as np


def gray_of(image):
    return cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (128, 128), interpolation=cv2.INTER_CUBIC)


def first(initial, frame):
    gray = gray_of(frame)
    fast = cv2.FastFeatureDetector_create(threshold=20, nonmaxSuppression=True).detect(gray, None)
    agast = cv2.AgastFeatureDetector_create(threshold=20).detect(gray, None)
    return len(fast) > 0.9 * len(agast)


def second(initial, frame):
    gray = gray_of(frame)
    points, descriptors = cv2.BRISK_create(thresh=20).detectAndCompute(gray, None)
    akaze, _ = cv2.AKAZE_create(threshold=0.001).detectAndCompute(gray, None)
    kaze = cv2.KAZE_create().detect(gray)
    gftt = cv2.GFTTDetector_create(maxCorners=50).detect(gray)
    total = sum(map(len, (points, akaze, kaze, gftt)))
    size = 0 if descriptors is None else int(np.unpackbits(descriptors, axis=1).sum() % 97)
    return min(1.0, total / 400) * 0.9 + size / 970
