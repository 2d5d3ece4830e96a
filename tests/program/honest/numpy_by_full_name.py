"imports numpy without a short name, and two names from it"
import numpy
from numpy import asarray, float64, uint8


def halves(image):
    left, right = numpy.array_split(image, 2, axis=1)
    top, bottom = numpy.vsplit(image, 2)
    return [float64(part.mean()) for part in (left, right, top, bottom)]


def first(initial, frame):
    left, right, top, bottom = halves(frame)
    return left > right and asarray([top, bottom]).argmax() in (0, 1)


def second(initial, frame):
    stacked = numpy.hstack([initial, frame])
    rotated = numpy.rot90(numpy.flipud(stacked), k=1)
    assert rotated.dtype == uint8
    return numpy.float32(numpy.abs(numpy.diff(halves(rotated))).max() / 255)
