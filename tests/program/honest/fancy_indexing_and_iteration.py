"""Index arrays, take and put along axes, nditer and ndenumerate."""
import numpy as np


def first(initial, frame):
    rows = np.linspace(0, frame.shape[0] - 1, 6).astype(int)
    grid = frame[np.ix_(rows, rows)]
    order = grid.sum(axis=2, dtype=int).argsort(axis=1)
    ranked = np.take_along_axis(grid, order[..., None], axis=1)
    best = max(np.ndenumerate(ranked[..., 0]), key=lambda item: (int(item[1]), item[0]))
    return best[0][0] > 2


def second(initial, frame):
    rows, columns = np.triu_indices(frame.shape[0], k=1)
    upper = frame[rows, columns].mean()
    flat = frame[..., 2].copy()
    np.put(flat, np.arange(0, flat.size, 3), 0)
    np.fill_diagonal(flat, 255)
    flat[flat > 200] -= 100
    total = 0
    for value in np.nditer(flat[:8, :8]):
        total += int(value)
    corners = [int(frame[y, x].max()) for y, x in np.ndindex(4, 4)]
    return float(np.clip(upper / 765 + total / (64 * 765) + sum(corners) / (16 * 765), 0, 1))
