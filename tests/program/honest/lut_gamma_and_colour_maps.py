"""Tables: gamma, posterise, colour maps, scaling."""
import cv2
import numpy as np

GAMMA = np.array([((i / 255.0) ** 0.5) * 255 for i in range(256)]).astype("uint8")
STEPS = (np.arange(256) // 64 * 85).astype(np.uint8)


def first(initial, frame):
    bright = cv2.LUT(frame, GAMMA)
    poster = cv2.LUT(frame, STEPS)
    return len(np.unique(poster.reshape(-1, 3), axis=0)) > 6 and bool(bright.mean() > 60)


def second(initial, frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    heat = cv2.applyColorMap(cv2.convertScaleAbs(gray, alpha=1.5, beta=10), cv2.COLORMAP_JET)
    viridis = cv2.applyColorMap(gray, cv2.COLORMAP_VIRIDIS)
    stretched = cv2.normalize(gray, None, 0, 255, cv2.NORM_MINMAX, dtype=cv2.CV_8U)
    return float((heat.mean() + viridis.mean() + stretched.mean()) / (3 * 255))
