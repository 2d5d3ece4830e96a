"""Lines, circles, match statements, walrus."""
import cv2
import numpy as np


def kind(ratio):
    match ratio:
        case r if r > 0.2:
            return "busy"
        case _:
            return "calm"


def first(initial, frame):
    edges = cv2.Canny(cv2.GaussianBlur(frame, (3, 3), 0), 50, 150)
    if (lines := cv2.HoughLinesP(edges, 1, np.pi / 180, 10, minLineLength=8, maxLineGap=2)) is None:
        return False
    return kind(len(lines) / 100) == "calm"


def second(initial, frame):
    flow = cv2.calcOpticalFlowFarneback(
        initial[..., 0], frame[..., 0], None, 0.5, 2, 9, 2, 5, 1.1, 0
    )
    magnitude, _ = cv2.cartToPolar(flow[..., 0], flow[..., 1])
    return float(np.clip(np.median(magnitude), 0, 1))
