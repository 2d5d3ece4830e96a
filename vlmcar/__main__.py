"""``python -m vlmcar``, which is the command ``vlmcar``, and ``python run.py`` of a checkout."""

from vlmcar.cli import main

if __name__ == "__main__":
    main()
