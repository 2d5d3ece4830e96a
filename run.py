"""One run, or with -m a sweep: ``python run.py --help``."""

import hydra
from omegaconf import DictConfig

from vlmcar.cli import execute, one_line_errors
from vlmcar.launchers import remember_command
from vlmcar.sweep.whole import whole_sweep


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    execute(cfg)


if __name__ == "__main__":
    remember_command()
    with one_line_errors(), whole_sweep():
        main()
