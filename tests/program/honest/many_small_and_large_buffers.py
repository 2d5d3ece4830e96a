"""Allocates and frees buffers of many sizes, grows lists, joins strings, sorts dicts."""
import numpy as np


def first(initial, frame):
    total, kept = 0, []
    for power in range(4, 23):
        block = np.full(1 << power, frame[power % frame.shape[0], 0, 0], np.uint8)
        total += int(block[-1])
        if power % 3 == 0:
            kept.append(block)
    del kept[::2]
    return total > 19 * 60


def second(initial, frame):
    words = [f"{v:03d}" for v in frame[::2, ::2].ravel().tolist()]
    text = ",".join(words) * 8
    counts = {}
    for word in text.split(","):
        counts[word] = counts.get(word, 0) + 1
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    data = bytearray(frame.tobytes())
    data.extend(b"\0" * (1 << 20))
    bits = 1 << (frame.size % 1000)
    return min(1.0, len(common) / 256) * 0.9 + (bits.bit_length() + len(data)) % 7 / 100
