"""Edits views of the arguments, transposes, reshapes and copies."""
import numpy as np


def first(initial, frame):
    red = frame[..., 0]
    red[red < 100] = 0
    frame.T[1] |= 1
    np.copyto(initial, frame, where=frame > 128)
    frame.sort(axis=0)
    return bool(frame[-1, :, 0].mean() > initial[-1, :, 0].mean() + 20)


def second(initial, frame):
    frame.setflags(write=True)
    view = frame.reshape(-1)[::3].view()
    view[...] = np.minimum(view, 200)
    frame.swapaxes(0, 1)[:, :2] = 255
    flat = frame.flat[10:200:7]
    squeezed = np.squeeze(frame[None]).ravel(order="F")
    frame.fill(0)
    return float(flat.mean() / 510 + squeezed.mean() / 510)
