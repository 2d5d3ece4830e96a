"""Folders of pictures, one per frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vlmcar.env.demonstrations.order import files
from vlmcar.env.demonstrations.recording import Recording
from vlmcar.env.words import first_line
from vlmcar.types import Frame, VlmcarError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
_DEEP = ("I", "F")
"""Beginnings of Pillow's modes of more than 8 bits; how they should become 0-255 cannot be known."""
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
"""What Pillow raises for a broken file."""


def recording(folder: Path) -> Recording:
    """The pictures directly in a folder, in order, as one episode."""
    return Recording(str(folder), (read_picture(path) for path in files(folder, SUFFIXES)))


def rgb(image: Image.Image, name: str) -> Frame:
    """uint8 (height, width, 3): grey in all three channels, what is transparent over black.

    Raises:
        VlmcarError: it has more than 8 bits per channel.
    """
    if image.mode.startswith(_DEEP):
        raise VlmcarError(f"{name} has more than 8 bits per channel ({image.mode}): save it as 8-bit RGB")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, (0, 0, 0, 255)), over)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def read_picture(path: Path) -> Frame:
    """uint8 (height, width, 3) RGB of a file, as a viewer would show it.

    Raises:
        VlmcarError: it cannot be read, or has more than 8 bits per channel.
    """
    try:
        with Image.open(path) as image:
            return rgb(ImageOps.exif_transpose(image), str(path))  # as a viewer would turn it
    except UNREADABLE as error:
        raise VlmcarError(f"{path} cannot be read as a picture ({first_line(error)}): replace it") from error
