"""What trainer and worker say to each other.

Bulk data lies in shared memory, which the worker can only read: first the pairs, then the images. Pipes carry
fixed structs. Each request is answered once:

| request | count | size | shared memory | response |
|---|---|---|---|---|
| the first | 0 | 0 | | `READY`: locked down |
| the second: load | bytes of the function names | bytes of the source | names (one per line), source | `LOADED` |
| every other: judge | number of pairs | 0 | int32 (pairs, 3): two image indices, first sub-task; images | `JUDGED` |

or `CRASHED` or `WRONG`, with a text.
"""

from __future__ import annotations

import math
import struct

REQUEST = struct.Struct("<QII")
"""nonce, count, size: see the table above."""
RESPONSE = struct.Struct("<QIIII")
"""nonce, status, row, column, bytes that follow."""
POSITION = struct.Struct("<II")
"""Item and sub-task being judged, in a page the trainer reads after a crash: a hint, never an answer."""

READY, LOADED, JUDGED, CRASHED, WRONG = range(1, 6)
"""READY: row holds the layers as bits. JUDGED: float32 (row, column) follows, NaN for what was not asked. CRASHED,
WRONG (no answer that the contract allows): item, sub-task, text."""

ALL = -1
"""As first sub-task: all are asked. Otherwise this one is, and as long as they are done, those after it."""
PAIR_BYTES = 12

NOWHERE = 0xFFFFFFFF
"""Item or sub-task of a failure outside of them."""
TEXT_BYTES = 600
PAGE = 4096

LAYERS = ("limits", "user", "landlock", "seccomp")
"""What locks a worker down, in the order in which it is put on."""


def layer_bits(layers: frozenset[str]) -> int:
    return sum(1 << bit for bit, name in enumerate(LAYERS) if name in layers)


def layers_of(bits: int) -> frozenset[str]:
    return frozenset(name for bit, name in enumerate(LAYERS) if bits >> bit & 1)


def image_offset(batch: int) -> int:
    """Where the images start in shared memory: after room for ``batch`` pairs, on a page of their own."""
    return -(-PAIR_BYTES * batch // PAGE) * PAGE


def shared_bytes(batch: int, shape: tuple[int, int, int]) -> int:
    """Size of the shared memory: up to ``2 * batch`` images, and never less than a source needs."""
    return max(image_offset(batch) + 2 * batch * math.prod(shape), 1 << 20)
