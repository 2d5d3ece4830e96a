"""Sweeps through each of Hydra's launchers, for real: jobs are killed and preempted, and nothing is lost.

A folder of its own, since a launcher is no module of ours: what is tested is ``conf/hydra/launcher``, the plugins, and
that runs resume. Slurm itself cannot be had here; its yaml is tested up to the file that is handed to ``sbatch``.
"""
