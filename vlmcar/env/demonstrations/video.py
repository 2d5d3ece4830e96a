"""Videos, one per episode."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageSequence

from vlmcar.env.demonstrations.pictures import UNREADABLE, rgb
from vlmcar.env.demonstrations.recording import Recording
from vlmcar.env.words import first_line
from vlmcar.types import Frame, VlmcarError

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".gif")
_MISSING = 0.05
"""Of the frames that a video announces; some containers only estimate how many they hold."""

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read once: our line says what FFmpeg would


def recording(path: Path) -> Recording:
    """All frames of a video."""
    return Recording(str(path), _gif(path) if path.suffix.lower() == ".gif" else _video(path))


def _video(path: Path) -> Iterator[Frame]:
    capture = _opened(path)
    try:
        if not capture.isOpened():
            raise VlmcarError(f"{path} cannot be read as a video: replace it, or convert it to mp4 (H.264)")
        announced, count = capture.get(cv2.CAP_PROP_FRAME_COUNT), 0
        while True:
            there, frame = capture.read()
            if not there:
                break
            count += 1
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    finally:
        capture.release()
    if announced - count > max(1, _MISSING * announced):  # and so the last frame, which shows the success
        raise VlmcarError(f"{path} ends after {count} of {announced:.0f} frames: it is cut short, replace it")


def _opened(path: Path) -> cv2.VideoCapture:
    """Without what OpenCV prints about a broken file."""
    level = cv2.setLogLevel(0)
    try:
        return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    finally:
        cv2.setLogLevel(level)


def _gif(path: Path) -> Iterator[Frame]:
    try:
        with Image.open(path) as image:
            for frame in ImageSequence.Iterator(image):
                yield rgb(frame, str(path))
    except UNREADABLE as error:
        raise VlmcarError(f"{path} cannot be read as a gif ({first_line(error)}): replace it") from error
