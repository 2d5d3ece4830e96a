"""
MiniGrid: reads agent, goal, walls from 8 x 8 tiles and asks how many steps are left.
"""
import numpy as np

TILES = 8


def tile_colours(image):
    size = image.shape[0] // TILES
    tiles = image[: size * TILES, : size * TILES].reshape(TILES, size, TILES, size, 3)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(TILES, TILES, -1, 3)


def where(image, channel):
    tiles = tile_colours(image).astype(np.int32)
    others = [c for c in range(3) if c != channel]
    pure = (tiles[..., channel] > 150) & (tiles[..., others].max(axis=-1) < 100)
    share = pure.mean(axis=-1)
    if share.max() < 0.1:
        return None
    return divmod(int(share.argmax()), TILES)


def first(initial, frame):
    agent, goal = where(frame, 0), where(initial, 1)
    return agent is not None and goal is not None and abs(agent[1] - goal[1]) <= 1


def second(initial, frame):
    agent, goal = where(frame, 0), where(frame, 1)
    if agent is None or goal is None:
        return 0.0
    steps = abs(agent[0] - goal[0]) + abs(agent[1] - goal[1])
    return 1 - steps / (2 * (TILES - 1))
