"""Outlines of coloured things: a triangle is the agent, a full square the door or the goal, what is left the key."""
import cv2
import numpy as np


def outlines(picture, low, high):
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    mask = cv2.inRange(hsv, low, high)
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [cv2.boundingRect(outline) for outline in found]


def yellow(picture):
    return outlines(picture, (25, 150, 60), (35, 255, 255))


def centre(box):
    x, y, width, height = box
    return x + width / 2, y + height / 2


def agent(picture):
    boxes = outlines(picture, (0, 200, 180), (4, 255, 255))
    return centre(max(boxes, key=lambda box: box[2] * box[3]))


def door(initial):
    return next(box for box in yellow(initial) if box[2] >= 30 and box[3] >= 30)


def is_in(point, box):
    return box[0] <= point[0] < box[0] + box[2] and box[1] <= point[1] < box[1] + box[3]


def pick_up_key(initial, frame):
    place = door(initial)
    return not [box for box in yellow(frame) if not is_in(centre(box), place)]


def open_door(initial, frame):
    x, y, _, _ = door(initial)
    strip = frame[y + 4 : y + 28, x + 4 : x + 24].astype(int)
    yellow_pixels = (strip[..., 0] > 60) & (strip[..., 1] > 60) & (strip[..., 2] < 40)
    return bool(yellow_pixels.mean() < 0.1)


def pass_door(initial, frame):
    x, _, width, _ = door(initial)
    return bool(agent(frame)[0] > x + width)


def reach_goal(initial, frame):
    goal = outlines(initial, (55, 200, 200), (65, 255, 255))[0]
    return is_in(agent(frame), goal)
