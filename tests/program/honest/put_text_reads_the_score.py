"""Reads the score: digits are rendered in several fonts and looked for."""
import cv2
import numpy as np

FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_COMPLEX_SMALL, cv2.FONT_ITALIC)


def glyph(digit, font, scale):
    (width, height), baseline = cv2.getTextSize(digit, font, scale, 1)
    canvas = np.zeros((height + baseline + 2, width + 2), np.uint8)
    cv2.putText(canvas, digit, (1, height), font, scale, 255, 1, cv2.LINE_8)
    return canvas


def scores(frame, font):
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return [
        float(cv2.matchTemplate(gray, glyph(digit, font, 0.4), cv2.TM_CCOEFF_NORMED).max())
        for digit in "0123456789"
    ]


def first(initial, frame):
    return int(np.argmax(scores(frame, FONTS[0]))) % 2 == 0


def second(initial, frame):
    best = max(max(scores(frame, font)) for font in FONTS)
    return min(1.0, max(0.0, best))
