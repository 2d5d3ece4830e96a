"""``import vlmcar``: the reward for environments and training loops that are not ours.

**Stable.** These follow semantic versioning: the names in ``vlmcar.__all__``, the parameters that they name, their
documented attributes, and the keys that the wrappers add to ``info`` (``env_reward``, ``progress``, ``subtasks_done``).
From 1.0 on they change with the major version only, and until then with the minor one (0.1 to 0.2), said in the
changelog; what is to go warns (``DeprecationWarning``) for one minor version before. So do ``conf/``'s groups and keys,
the program contract (functions of ``initial`` and ``frame``), and what ``verdict.json`` holds: a later version reads
what an earlier one wrote.

**Not stable.** Every other module, function and class; prompts and thresholds, which may get better; and which program
a VLM writes.
"""
