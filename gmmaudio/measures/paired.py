"""Two systems on the same clips: is one better, or was it chance?

Only clips that one decided rightly and the other wrongly tell the two apart, and clips of one group tell less
than as many of different groups. So two questions are asked, and both must answer yes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike
from scipy.special import bdtr

from gmmaudio.errors import DataError
from gmmaudio.measures.checks import flags
from gmmaudio.measures.intervals import Interval
from gmmaudio.measures.resampling import figure_interval

LEVEL = 0.95
"""Of the interval; a p-value below 1 - LEVEL counts as a difference."""


def mcnemar(first_only: int, second_only: int) -> float:
    """McNemar's exact test: how often would chance split the clips that differ this unevenly, or more so?

    If neither system is better, each of the n = first_only + second_only clips falls to either side with
    probability 1/2: p = min(1, 2 P(X <= min of the two)), X binomial (n, 1/2). Clips must be independent.

    Parameters
    ----------
    first_only, second_only : int
        Clips that only the first, and only the second system decided rightly.

    Returns
    -------
    float
        The two-sided p-value, in (0, 1]; 1 where no clip differs.

    Raises
    ------
    DataError
        ``bad_count``.

    References
    ----------
    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947, 153-157; in its exact binomial form, without mid-p.

    Examples
    --------
    >>> round(mcnemar(30, 24), 2), round(mcnemar(6, 0), 2)
    (0.5, 0.03)
    """
    if first_only < 0 or second_only < 0:
        raise DataError("bad_count", f"got {first_only} and {second_only} clips; counts are at least 0")
    smaller, total = min(first_only, second_only), first_only + second_only
    return min(1.0, 2 * float(bdtr(smaller, total, 0.5)))


@dataclass(frozen=True)
class Comparison:
    """Two systems' decisions on the same clips, set against each other.

    Attributes
    ----------
    both, first_only, second_only, neither : int
        Clips decided rightly by both systems, by one of them, by neither.
    p : float
        McNemar's two-sided p-value, which takes clips to be independent.
    interval : Interval
        Of ``difference``, in [-1, 1]; over groups where they are known.
    """

    both: int
    first_only: int
    second_only: int
    neither: int
    p: float
    interval: Interval

    @property
    def clips(self) -> int:
        """The number of clips."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def accuracies(self) -> tuple[float, float]:
        """The accuracy of the first and of the second system."""
        return (self.both + self.first_only) / self.clips, (self.both + self.second_only) / self.clips

    @property
    def difference(self) -> float:
        """The first accuracy less the second."""
        return (self.first_only - self.second_only) / self.clips

    @property
    def distinguishable(self) -> bool:
        """Whether the p-value is below 0.05 and the 95 % interval leaves out 0."""
        return self.p < 1 - LEVEL and not self.interval.low <= 0 <= self.interval.high

    def verdict(self, first: str = "the first", second: str = "the second") -> str:
        """What follows, in words.

        Examples
        --------
        >>> print(compare([1] * 60, [1] * 54 + [0] * 6).verdict("A", "B"))
        A is better than B: a difference of 10.0 points is more than chance explains (p = 0.031)
        >>> print(compare([1, 0, 1, 1], [1, 1, 0, 0]).verdict("A", "B"))
        A and B cannot be told apart: a difference of 25.0 points may be chance (p = 1)
        """
        points, told = f"{100 * abs(self.difference):.1f} points", f"p = {self.p:.2g}"
        if self.distinguishable:
            better, other = (first, second) if self.difference > 0 else (second, first)
            return f"{better} is better than {other}: a difference of {points} is more than chance explains ({told})"
        if not self.first_only and not self.second_only:
            return f"{first} and {second} cannot be told apart: they are right on the same clips"
        if self.p < 1 - LEVEL:
            told += f", but the interval ({self.interval.method}) holds 0"
        return f"{first} and {second} cannot be told apart: a difference of {points} may be chance ({told})"


def compare(
    first: ArrayLike,
    second: ArrayLike,
    groups: Sequence[str | None] | None = None,
    seed: int = 0,
    resamples: int = 2000,
) -> Comparison:
    """Compare two systems by the clips that each decided rightly.

    Parameters
    ----------
    first, second : (n,) bool
        Whether each system decided each clip rightly, in the same order of clips.
    groups : sequence of n str or None, optional
        The group of each clip; None for a clip makes it a group of its own.
    seed, resamples : int
        Of the bootstrap, defaults 0 and 2000.

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        ``bad_shape``, ``length_mismatch`` or ``bad_resamples``.

    Examples
    --------
    >>> found = compare([1, 1, 1, 0], [1, 0, 0, 1])
    >>> found.first_only, found.second_only, found.difference
    (2, 1, 0.25)
    """
    one, two = flags(first), flags(second)
    if len(one) != len(two):
        raise DataError("length_mismatch", f"got {len(one)} and {len(two)} decisions; the same clips are needed")
    gain = one.astype(float) - two
    first_only, second_only = int((one & ~two).sum()), int((two & ~one).sum())
    sure = figure_interval(
        lambda chosen: float(gain[chosen].mean()), len(gain), groups, (-1.0, 1.0), LEVEL, seed, resamples
    )
    both, neither = int((one & two).sum()), int((~one & ~two).sum())
    return Comparison(both, first_only, second_only, neither, mcnemar(first_only, second_only), sure)
