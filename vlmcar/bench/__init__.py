"""What things take, as ratios within one run; ``python -m vlmcar.bench``."""
