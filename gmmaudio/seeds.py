"""Which seeds can be used, wherever something is drawn at random."""

from __future__ import annotations

from gmmaudio.errors import DataError

SEEDS = 2**32
"""Seeds are below it: scikit-learn takes no others."""


def refuse_seed(seed: int) -> None:
    """Raise ``bad_setting`` for a seed that cannot be used.

    Examples
    --------
    >>> refuse_seed(1234)
    """
    if not 0 <= seed < SEEDS:
        raise DataError("bad_setting", f"seed {seed}; from 0 to {SEEDS - 1} is allowed", "take 0, say")
