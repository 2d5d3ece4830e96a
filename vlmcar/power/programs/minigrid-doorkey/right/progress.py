"""How far the agent is from what comes next, as progress from 0 to 1."""
import numpy as np

SIZE = 32


def where(mask):
    """Cell (row, column) with most pixels of the mask, and how many."""
    rows, columns = mask.shape[0] // SIZE, mask.shape[1] // SIZE
    counts = mask.reshape(rows, SIZE, columns, SIZE).sum(axis=(1, 3))
    place = np.unravel_index(counts.argmax(), counts.shape)
    return np.array(place), counts


def red(p):
    return (p[..., 0] > 180) & (p[..., 1] < 70) & (p[..., 2] < 70)


def green(p):
    return (p[..., 1] > 180) & (p[..., 0] < 70) & (p[..., 2] < 70)


def yellow(p):
    return (p[..., 0] > 90) & (p[..., 1] > 90) & (p[..., 2] < 70)


def nearer(start, now, target):
    """Share of the way to the target that is behind the agent; never quite 1."""
    first = np.abs(start - target).sum()
    return float(np.clip(1 - np.abs(now - target).sum() / max(first, 1), 0, 0.95))


def pick_up_key(initial, frame):
    door, counts = where(yellow(initial))
    counts[tuple(door)] = 0
    key = np.array(np.unravel_index(counts.argmax(), counts.shape))
    _, now = where(yellow(frame))
    now[tuple(door)] = 0
    if now.max() < 40:
        return 1.0
    return nearer(where(red(initial))[0], where(red(frame))[0], key)


def open_door(initial, frame):
    door, before = where(yellow(initial))
    _, now = where(yellow(frame))
    if now[tuple(door)] < 0.5 * before[tuple(door)]:
        return 1.0
    return nearer(where(red(initial))[0], where(red(frame))[0], door)


def reach_goal(initial, frame):
    goal, _ = where(green(initial))
    agent, _ = where(red(frame))
    if tuple(goal) == tuple(agent):
        return 1.0
    return nearer(where(red(initial))[0], agent, goal)
