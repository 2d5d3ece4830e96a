"""Average and difference hashes as bits, compared by Hamming distance."""
import cv2
import numpy as np


def average_hash(image):
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (8, 8), interpolation=cv2.INTER_AREA)
    return np.packbits(small > small.mean())


def difference_hash(image):
    small = cv2.resize(image[..., 1], (9, 8), interpolation=cv2.INTER_AREA)
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def first(initial, frame):
    return bin(difference_hash(initial) ^ difference_hash(frame)).count("1") > 10


def second(initial, frame):
    distance = np.unpackbits(average_hash(initial) ^ average_hash(frame)).sum()
    checksum = sum(frame.tobytes()) % 251
    return float(distance) / 64 * 0.9 + checksum / 2510
