"""Expert episodes from a person's own files.

Recorded episodes are read from

- a folder of pictures, one episode, or a folder of such folders, one episode each; ``frame_2`` stands before
  ``frame_10``;
- a video (mp4, avi, mov, mkv, webm, gif), one episode, or a folder of videos;
- an npz file, one episode, or a folder of them: ``frames`` uint8 (steps + 1, height, width, 3), and where they are
  known ``actions`` int64 (steps,) or float32 (steps, dimensions), ``rewards`` (steps,), ``success`` and ``seed`` (of
  the environment's reset). ``write_npz`` writes one;
- ``minari:<dataset id>``, a Minari dataset on this machine.

Experts that act are

- a policy that Stable-Baselines3 saved (``.zip``), with the name of its algorithm;
- ``module:function``, found from the current folder: ``function(env)`` is called as each episode begins and returns the
  policy, a function from observation to action. For example, a module with
  ``def expert(env): return lambda observation: int(observation[2] > 0)``.
"""

from vlmcar.env.demonstrations.acting import Expert as Expert
from vlmcar.env.demonstrations.acting import acting as acting
from vlmcar.env.demonstrations.npz import write_npz as write_npz
from vlmcar.env.demonstrations.recorded import read as read
from vlmcar.env.demonstrations.source import Recorded as Recorded
from vlmcar.env.demonstrations.source import open_source as open_source
