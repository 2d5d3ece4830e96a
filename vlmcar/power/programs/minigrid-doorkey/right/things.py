"""Finds coloured things as connected components, and follows where they are."""
import cv2
import numpy as np

CELL = 32


def _things(picture, low, high, least):
    """Centres (row, column of the grid) and pixels of the things of a colour, largest first."""
    mask = cv2.inRange(picture, low, high)
    count, _, stats, centres = cv2.connectedComponentsWithStats(mask)
    found = [
        (int(stats[i, cv2.CC_STAT_AREA]), int(centres[i][1]) // CELL, int(centres[i][0]) // CELL)
        for i in range(1, count)
        if stats[i, cv2.CC_STAT_AREA] >= least
    ]
    return sorted(found, reverse=True)


def _yellow(picture):
    return _things(picture, (80, 80, 0), (255, 255, 60), 12)


def _agent(picture):
    return _things(picture, (180, 0, 0), (255, 60, 60), 40)[0][1:]


def _cells(things):
    return {thing[1:] for thing in things}


def _door(initial):
    return max(_yellow(initial), key=lambda thing: sum(t[0] for t in _yellow(initial) if t[1:] == thing[1:]))[1:]


def pick_up_key(initial, frame):
    return not (_cells(_yellow(frame)) - {_door(initial)})


def open_door(initial, frame):
    row, column = _door(initial)
    if _agent(frame) == (row, column):
        return True
    cell = frame[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
    return bool((cell[8:24, 8:14].max(axis=2) < 40).all())


def reach_goal(initial, frame):
    goal = _things(initial, (0, 200, 0), (60, 255, 60), 100)[0][1:]
    return _agent(frame) == goal
