"""Pose of a cube from the bounding box of its pixels: solvePnP, Rodrigues, projectPoints."""
import cv2
import numpy as np

FACE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], dtype=np.float64)


def pose(image):
    saturation = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)[..., 1]
    x, y, w, h = cv2.boundingRect((saturation > 150).astype(np.uint8))
    if w < 3 or h < 3:
        return None
    corners = np.array([[x, y], [x + w, y], [x + w * 0.9, y + h], [x + w * 0.1, y + h]], np.float64)
    size = image.shape[0]
    camera = np.array([[size, 0, size / 2], [0, size, size / 2], [0, 0, 1]], np.float64)
    ok, rotation, translation = cv2.solvePnP(FACE, corners, camera, None, flags=cv2.SOLVEPNP_ITERATIVE)
    return (corners, camera, rotation, translation) if ok else None


def first(initial, frame):
    found = pose(frame)
    if found is None:
        return False
    matrix, _ = cv2.Rodrigues(found[2])
    return bool(abs(np.linalg.det(matrix) - 1) < 1e-6 and found[3][0, 0] > 0)


def second(initial, frame):
    found = pose(frame)
    if found is None:
        return 0.0
    corners, camera, rotation, translation = found
    projected, _ = cv2.projectPoints(FACE, rotation, translation, camera, None)
    error = np.linalg.norm(projected.reshape(-1, 2) - corners, axis=1).mean()
    return float(1 / (1 + round(float(error), 3)))
