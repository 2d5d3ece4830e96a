"""Frames such as honest programs are written for: gridworlds, platformers, tables with objects on them."""

from __future__ import annotations

import cv2
import numpy as np

from vlmcar.types import Frames

COLOURS = ((230, 20, 20), (20, 230, 20), (30, 40, 235), (240, 220, 30), (245, 245, 245), (150, 50, 200))


def pairs(n: int, size: int) -> tuple[Frames, Frames]:
    """``n`` initial images and frames: uint8 (n, size, size, 3) each, the same for the same arguments.

    In turn the objects move, the light changes, another scene is seen, or nothing happens. The last pair is black.
    """
    made = [pair(index, size) for index in range(n - 1)]
    made.append((np.zeros((size, size, 3), np.uint8),) * 2)
    initial, frames = zip(*made, strict=True)
    return np.stack(initial), np.stack(frames)


def pair(index: int, size: int) -> tuple[Frames, Frames]:
    initial = scene(index, size, moved=0)
    match index % 4:
        case 0:
            return initial, scene(index, size, moved=2)
        case 1:
            noise = np.random.default_rng(index).integers(0, 30, initial.shape)
            return initial, np.clip(initial * 0.8 + noise, 0, 255).astype(np.uint8)
        case 2:
            return initial, scene(index + 1000, size, moved=0)
        case _:
            return initial, initial.copy()


def scene(seed: int, size: int, moved: int) -> Frames:
    """uint8 (size, size, 3): a background, and objects that lie ``moved`` units of size / 32 further right."""
    rng = np.random.default_rng(seed)
    unit = size // 32
    image = (noise, gradient, gridworld, platformer)[rng.integers(4)](rng, size)
    for kind in rng.permutation(5)[: rng.integers(2, 6)]:
        colour = tuple(int(value) for value in COLOURS[rng.integers(len(COLOURS))])
        x, y = (int(value) * unit for value in rng.integers(4, 26, 2))
        x, r = x + moved * unit, int(rng.integers(3, 7)) * unit
        if kind == 0:
            cv2.circle(image, (x, y), r, colour, -1)
        elif kind == 1:
            cv2.rectangle(image, (x - r, y - r), (x + r, y + r // 2), colour, -1)
        elif kind == 2:
            cv2.line(image, (x, y), (size - x, size - y), colour, unit)
        elif kind == 3:
            cv2.fillPoly(image, [np.array([(x, y - r), (x + r, y + r), (x - r, y + r)], np.int32)], colour)
        else:
            cv2.putText(
                image, str(seed % 100), (x // 2, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4 * unit, colour, unit
            )
    return image


def noise(rng: np.random.Generator, size: int) -> Frames:
    return rng.integers(0, 60, (size, size, 3), dtype=np.uint8)


def gradient(rng: np.random.Generator, size: int) -> Frames:
    ramp = np.linspace(0, 120, size)
    image = np.stack([np.add.outer(a * ramp, b * ramp) for a, b in rng.random((3, 2))], axis=-1)
    return image.astype(np.uint8)


def gridworld(rng: np.random.Generator, size: int) -> Frames:
    """8 x 8 cells as in MiniGrid: grey walls all round and in places, black floor, dark lines between cells."""
    walls = np.pad(rng.random((6, 6)) < 0.2, 1, constant_values=True)
    image = np.kron(np.where(walls, 100, 0), np.ones((size // 8, size // 8)))[..., None].repeat(3, -1)
    image[:: size // 8] = image[:, :: size // 8] = 50
    return image.astype(np.uint8)


def platformer(rng: np.random.Generator, size: int) -> Frames:
    image = np.full((size, size, 3), (110, 170, 230), np.uint8)
    for x in range(0, size, size // 4):
        image[size - int(rng.integers(1, 4)) * size // 8 :, x : x + size // 4] = (120, 80, 40)
    return image
