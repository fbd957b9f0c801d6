"""The floor of a one-class model: below which score a clip is no longer taken for normal, and how often that is wrong.

With one label there is nothing to compare a clip with, so the score itself decides: the mean log-likelihood of its
frames. `gmmaudio.classify.one_class` learns the threshold.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil, floor
from typing import Any

from gmmaudio.classify.learned import thresholded
from gmmaudio.tensors import require

_ROUNDING = 1e-9  # by which a rank that is whole may miss it


@dataclass(frozen=True)
class Floor:
    """From which score on a clip counts as normal, and what that costs.

    Parameters
    ----------
    threshold : float
        The least score of a normal clip, in mean nats per frame.
    false_alarms : float
        The share of normal clips that was to be refused, in (0, 1).
    refused, refused_low, refused_high : float
        The share of normal clips that was refused: of each fold, by a model of the other folds' clips, at the threshold
        that the other folds' scores set; and its 95 % interval. See `gmmaudio.classify.one_class.share_refused`.
    clips, groups : int
        What these rest on; 0 groups where none are known.
    shortest : int
        Frames of the shortest clip among them. A shorter one scores more erratically, and is refused more often.

    Examples
    --------
    >>> floor = Floor(-40.0, 0.05, 0.04, 0.02, 0.08, 200, 10, 400)
    >>> floor.accepts(-39.5), floor.accepts(-41.0)
    (True, False)
    """

    threshold: float
    false_alarms: float
    refused: float
    refused_low: float
    refused_high: float
    clips: int
    groups: int
    shortest: int

    def accepts(self, score: float) -> bool:
        """Whether a clip of this score counts as normal."""
        return score >= self.threshold

    @property
    def summary(self) -> str:
        """The threshold and what it costs, in one line."""
        known = f" in {self.groups} groups" if self.groups else ", no groups known"
        return (
            f"unknown below {self.threshold:.3f} nats per frame, set for false alarms on {100 * self.false_alarms:g} %"
            f" of normal clips: held out, {100 * self.refused:.1f} % were refused (95 % interval"
            f" {100 * self.refused_low:.1f} to {100 * self.refused_high:.1f} %; {self.clips} clips{known})"
            + self._alone
        )

    @property
    def _alone(self) -> str:
        """That the threshold is the score of one clip, where so few were held out."""
        if rank_of(self.clips, self.false_alarms) > 1:
            return ""
        wanted = clips_wanted(2, self.false_alarms)
        return f"; one clip sets it, the least likely of all: an odd one sets it far too low; {wanted} are safer"

    def as_dict(self) -> dict[str, Any]:
        """Plain values that `floor_from` reads back."""
        return asdict(self)


def rank_of(clips: int, false_alarms: float) -> int:
    """Which of so many scores in rising order is the threshold for a rate; 0 where they are too few.

    Examples
    --------
    >>> rank_of(39, 0.05), rank_of(18, 0.05)
    (2, 0)
    """
    return min(clips, floor(false_alarms * (clips + 1) + _ROUNDING))


def clips_wanted(rank: int, false_alarms: float) -> int:
    """How many clips put the threshold for a rate at this rank.

    Examples
    --------
    >>> clips_wanted(2, 0.05)
    39
    """
    return ceil(rank / false_alarms - _ROUNDING) - 1


def floor_from(values: object) -> Floor:
    """The floor that plain values from a file describe, every one of them checked.

    Raises
    ------
    Broken
        Naming the value.
    """
    found = thresholded(Floor, "floor", values, {"clips": 1, "groups": 0, "shortest": 1})
    require(0 < found.false_alarms < 1, "the floor's false_alarms must lie in (0, 1)")
    require(found.groups <= found.clips, "the floor's groups must be no more than its clips")
    return found
