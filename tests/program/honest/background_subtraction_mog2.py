"""Background models made and used within one call: MOG2, KNN, a running average."""
import cv2
import numpy as np


def foreground(subtractor, initial, frame):
    for _ in range(5):
        subtractor.apply(initial, learningRate=0.5)
    return subtractor.apply(frame, learningRate=0)


def first(initial, frame):
    mog = cv2.createBackgroundSubtractorMOG2(history=10, varThreshold=16, detectShadows=True)
    mask = foreground(mog, initial, frame)
    return bool((mask == 255).mean() > 0.05)


def second(initial, frame):
    knn = cv2.createBackgroundSubtractorKNN(history=10, dist2Threshold=400.0, detectShadows=False)
    mask = foreground(knn, initial, frame)
    average = initial.astype(np.float32)
    cv2.accumulateWeighted(frame, average, 0.3)
    drift = np.abs(average - initial).mean() / 255
    return float(0.5 * (mask > 0).mean() + 0.5 * drift)
