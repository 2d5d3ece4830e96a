"""A simulated judge: ground truth with errors put in, where no VLM can be asked. It always says so, with its rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from vlmcar.types import ConfigError, JudgedBy


@dataclass
class Simulated:
    """Answers yes-or-no questions as a VLM with these error rates might, at a declared latency and price.

    An error belongs to its query: asked the same about the same pictures, the judge answers the same, as a VLM
    without sampling does. Different queries err independently of each other, which a VLM's errors do not: those
    follow what is hard to see.
    """

    false_positives: float
    """Probability of "yes" where "no" is true, in [0, 1]."""
    false_negatives: float
    """Probability of "no" where "yes" is true, in [0, 1]."""
    seed: int
    """Another seed puts the errors elsewhere."""
    seconds_per_query: float
    """Declared, for the projected time; nobody waits."""
    dollars_per_query: float | None
    """Declared, for the projected cost; ``None``: unknown."""

    def __post_init__(self) -> None:
        for name in ("false_positives", "false_negatives"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"simulated.{name}={getattr(self, name)} is a rate from 0 to 1")
        for name in ("seconds_per_query", "dollars_per_query", "seed"):
            if (getattr(self, name) or 0) < 0:
                raise ConfigError(f"simulated.{name}={getattr(self, name)} must be 0 or more")

    @property
    def judged_by(self) -> JudgedBy:
        """In paths, csv files, legends and on pages, always with the rates."""
        positives, negatives = f"{self.false_positives:g}", f"{self.false_negatives:g}"
        return JudgedBy(
            f"simulated_fp{positives}_fn{negatives}",
            f"simulated (FP {positives}, FN {negatives})",
            (self.false_positives, self.false_negatives),
        )

    def answers(
        self, queries: Sequence[bytes], questions: Sequence[str], truth: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """What this judge says.

        Args:
            queries: (batch): names of what is shown, equal for equal pictures.
            questions: (num_questions).
            truth: bool (batch, num_questions).

        Returns:
            bool (batch, num_questions).
        """
        prefixes = [f"{self.seed}\0{question}\0".encode() for question in questions]
        draws = np.array(
            [[xxhash.xxh3_64_intdigest(prefix + query) for prefix in prefixes] for query in queries],
            dtype=np.float64,
        )
        wrong = draws / 2.0**64 < np.where(truth, self.false_negatives, self.false_positives)
        return truth ^ wrong
