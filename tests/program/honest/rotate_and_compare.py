"""Is the scene symmetric under rotation? getRotationMatrix2D, warpAffine and back again."""
import cv2
import numpy as np


def rotated(image, angle, scale=1.0):
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
    turned = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    back = cv2.warpAffine(turned, cv2.invertAffineTransform(matrix), (width, height), flags=cv2.INTER_CUBIC)
    return turned, back


def first(initial, frame):
    quarter = cv2.rotate(frame, cv2.ROTATE_90_CLOCKWISE)
    mirrored = cv2.flip(frame, 1)
    return bool(np.abs(quarter.astype(int) - frame).mean() < np.abs(mirrored.astype(int) - frame).mean())


def second(initial, frame):
    turned, back = rotated(frame, 30, 0.9)
    shear = np.float32([[1, 0.2, 0], [0, 1, 0]])
    sheared = cv2.warpAffine(frame, shear, frame.shape[1::-1], borderValue=(127, 127, 127))
    parts = [cv2.absdiff(frame, other).mean() for other in (turned, back, sheared)]
    return float(np.clip(np.mean(parts) / 64.0, 0.0, 1.0))
