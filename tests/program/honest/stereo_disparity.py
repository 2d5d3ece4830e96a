"""The two images as a stereo pair: near things shift more."""
import cv2
import numpy as np


def disparity(matcher, initial, frame):
    left, right = (cv2.resize(cv2.cvtColor(i, cv2.COLOR_RGB2GRAY), (96, 96)) for i in (initial, frame))
    return matcher.compute(left, right).astype(np.float32) / 16


def first(initial, frame):
    result = disparity(cv2.StereoBM_create(numDisparities=16, blockSize=7), initial, frame)
    return bool((result > 1).mean() > 0.02)


def second(initial, frame):
    sgbm = cv2.StereoSGBM_create(minDisparity=0, numDisparities=16, blockSize=5, P1=200, P2=800)
    result = disparity(sgbm, initial, frame)
    return float(np.clip(result[result >= 0].mean() / 16, 0, 1)) if (result >= 0).any() else 0.0
