"""One run, or with -m a sweep: ``python run.py --help``."""

from pathlib import Path

from vlmcar.cli import main

if __name__ == "__main__":
    main(Path(__file__).with_name("conf"))
