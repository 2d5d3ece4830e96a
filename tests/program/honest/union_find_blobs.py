"""Connected blobs by union-find, without OpenCV."""
import numpy as np


def find(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def blobs(image):
    step = max(1, image.shape[0] // 32)
    mask = image[::step, ::step].max(axis=2) > 140
    h, w = mask.shape
    parent = list(range(h * w))
    for y in range(h):
        for x in range(w):
            if not mask[y, x]:
                continue
            for ny, nx in ((y + 1, x), (y, x + 1)):
                if ny < h and nx < w and mask[ny, nx]:
                    parent[find(parent, ny * w + nx)] = find(parent, y * w + x)
    sizes = {}
    for i in np.flatnonzero(mask).tolist():
        root = find(parent, i)
        sizes[root] = sizes.get(root, 0) + 1
    return sorted(sizes.values(), reverse=True)


def first(initial, frame):
    return len(blobs(frame)) > len(blobs(initial))


def second(initial, frame):
    sizes = blobs(frame)
    return sizes[0] / sum(sizes) if sizes else 0.0
