"""How much a picture can be compressed tells how much is in it; encoded and decoded in memory."""
import cv2
import numpy as np


def encoded(image, suffix, *options):
    ok, buffer = cv2.imencode(suffix, image[..., ::-1], list(options))
    assert ok
    return buffer


def first(initial, frame):
    return len(encoded(frame, ".png")) > len(encoded(initial, ".png"))


def second(initial, frame):
    jpeg = encoded(frame, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 30)
    webp = encoded(frame, ".webp", cv2.IMWRITE_WEBP_QUALITY, 50)
    bmp, tiff = encoded(frame, ".bmp"), encoded(frame, ".tiff")
    decoded = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1]
    again = cv2.imdecode(np.frombuffer(bmp.tobytes(), np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert np.array_equal(again, frame) and len(tiff) > 0
    assert cv2.imdecode(webp, cv2.IMREAD_GRAYSCALE).shape == frame.shape[:2]
    loss = np.abs(decoded.astype(int) - frame).mean() / 255
    return float(min(1.0, loss + len(jpeg) / (2 * frame.size)))
