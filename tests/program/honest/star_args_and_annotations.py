"""Helpers with star-args, keyword-only arguments and annotations."""
from __future__ import annotations

import numpy as np

Colour = tuple[int, int, int]
PALETTE: dict[str, Colour] = {"red": (230, 20, 20), "green": (20, 230, 20), "yellow": (240, 220, 30)}


def near(image: np.ndarray, *colours: Colour, tolerance: int = 60) -> np.ndarray:
    masks = [np.abs(image.astype(np.int16) - colour).max(axis=-1) <= tolerance for colour in colours]
    return np.logical_or.reduce(masks)


def summary(**masks: np.ndarray) -> list[tuple[str, float]]:
    return sorted(((name, float(mask.mean())) for name, mask in masks.items()), key=lambda kv: (-kv[1], kv[0]))


def first(initial: np.ndarray, frame: np.ndarray) -> bool:
    """Red leads."""
    masks = {name: near(frame, colour) for name, colour in PALETTE.items()}
    (leader, share), *others = summary(**masks)
    return leader == "red" and share > 0


def second(initial: np.ndarray, frame: np.ndarray) -> float:
    options = dict(tolerance=80)
    return float(near(frame, *PALETTE.values(), **options).mean())
