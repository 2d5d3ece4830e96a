"""Every cell gets the name of the thing in it; the sub-tasks are said in these names."""
import numpy as np

S = 32


def name(cell):
    pixels = cell[2:-2, 2:-2].reshape(-1, 3).astype(int)
    bright = pixels[pixels.max(axis=1) > 60]
    if len(bright) == 0:
        return "floor"
    red, green, blue = bright.mean(axis=0)
    share = len(bright) / len(pixels)
    if red > 150 and green < 100 and blue < 100 and 0.1 < share < 0.6:
        return "agent"
    if green > 150 and red < 100 and share > 0.9:
        return "goal"
    if abs(red - green) < 12 and blue < 40:
        if share > 0.9:
            return "locked door"
        return "key" if share > 0.15 else "open door"
    return "wall" if share > 0.9 and abs(red - blue) < 12 else "thing"


def names(picture):
    rows, columns = picture.shape[0] // S, picture.shape[1] // S
    return {
        (r, c): name(picture[r * S : (r + 1) * S, c * S : (c + 1) * S])
        for r in range(rows)
        for c in range(columns)
    }


def place_of(thing, cells):
    return next((place for place, what in cells.items() if what == thing), None)


def pick_up_key(initial, frame):
    return "key" not in names(frame).values()


def open_door(initial, frame):
    door = place_of("locked door", names(initial))
    return door is not None and names(frame)[door] != "locked door"


def reach_goal(initial, frame):
    goal = place_of("goal", names(initial))
    return goal is not None and names(frame)[goal] != "goal"
