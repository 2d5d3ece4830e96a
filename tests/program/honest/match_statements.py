"""Structural pattern matching over what is seen."""
import numpy as np


def describe(image):
    means = image.reshape(-1, 3).mean(axis=0)
    order = tuple("rgb"[i] for i in np.argsort(-means, kind="stable"))
    return {"order": order, "level": float(means.mean()), "tall": image.shape[0] > image.shape[1]}


def judge(scene):
    match scene:
        case {"level": level} if level < 20:
            return "dark", 0.1
        case {"order": ("r", *rest), "level": float(level)} if level > 60:
            return "warm", level / 255
        case {"order": ("b", "g", "r")} | {"order": ("b", "r", "g")}:
            return "sky", 0.5
        case {"order": [*_], "tall": False, **others} if others:
            return "flat", 0.3
        case _:
            return "unknown", 0.0


def first(initial, frame):
    (name, _), (before, _) = judge(describe(frame)), judge(describe(initial))
    return name != before or name == "sky"


def second(initial, frame):
    match judge(describe(frame)):
        case ("warm" | "sky") as name, value:
            return value / 2 + len(name) / 20
        case _, value:
            return value
