"""A chessboard lies on the floor, as bright as the frame is; are its corners found and level?"""
import cv2
import numpy as np


def board(light):
    squares = np.indices((6, 7)).sum(axis=0) % 2
    image = np.kron(squares, np.ones((16, 16))) * light + 20
    return cv2.copyMakeBorder(image.astype(np.uint8), 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=int(light) + 20)


def first(initial, frame):
    found, _ = cv2.findChessboardCorners(board(float(frame.max()) * 0.6), (6, 5))
    return bool(found)


def second(initial, frame):
    found, corners = cv2.findChessboardCornersSB(board(60 + frame.mean() / 2), (6, 5))
    if not found:
        return 0.0
    rows = corners.reshape(5, 6, 2)
    return float(np.clip(frame.mean() / 255 + rows[..., 1].std(axis=1).max(), 0, 1))
