"""A sign carries a QR code that says how far the door is; the frame decides what is printed on it."""
import cv2
import numpy as np


def printed(text):
    code = cv2.QRCodeEncoder_create().encode(text)
    code = cv2.copyMakeBorder(code, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=255)
    return cv2.resize(code, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)


def first(initial, frame):
    """There is hardly ever one in the frame itself."""
    found, corners = cv2.QRCodeDetector().detect(cv2.resize(frame, (128, 128)))
    return bool(found)


def second(initial, frame):
    level = int(frame.mean() / 255 * 100)
    text, corners, straight = cv2.QRCodeDetector().detectAndDecode(printed(f"DOOR {level:02d}"))
    if not text.startswith("DOOR"):
        return 0.0
    return int(text.split()[1]) / 100
