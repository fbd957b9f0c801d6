"""What a cross-validation found: the decisions of all folds pooled, and the accuracy of each fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gmmaudio.evaluate.decision_figures import mean_figure
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.evaluation_text import counted, extent_of, with_interval
from gmmaudio.evaluate.sure_figure import Figure, interval_as_plain, share_of
from gmmaudio.files import printable


@dataclass(frozen=True)
class CrossValidation:
    """The pooled evaluation over all folds, and what it says fold by fold.

    Parameters
    ----------
    pooled : Evaluation
        Every clip once, decided by the classifier that was trained without its fold.
    fold_of : sequence of str
        The fold of each of its predictions.

    Examples
    --------
    >>> clips = [Prediction(f"{i}.wav", "cat", label) for i, label in enumerate(["cat", "dog", "cat"])]
    >>> found = CrossValidation(Evaluation(clips, ["cat", "dog"]), ["1", "1", "2"])
    >>> found.folds, found.mean.value
    ({'1': 0.5, '2': 1.0}, 0.75)
    """

    pooled: Evaluation
    fold_of: Sequence[str]

    @property
    def folds(self) -> dict[str, float]:
        """Accuracy per fold."""
        return {name: figure.value for name, figure in self.figures.items()}

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """The same with intervals."""
        found = {}
        for name in fold_names(self.fold_of):
            clips = [clip for clip, fold in zip(self.pooled.predictions, self.fold_of, strict=True) if fold == name]
            found[name] = accuracy_figure(clips)
        return found

    @cached_property
    def mean(self) -> Figure:
        """The mean of the folds' accuracies, each fold weighing the same, with its interval."""
        right = [clip.truth == clip.label for clip in self.pooled.predictions]
        return mean_figure(self.fold_of, right, self.pooled.groups)

    def as_dict(self) -> dict[str, Any]:
        """The pooled figures; ``folds``; with intervals ``fold_figures``, a list; and ``mean_of_folds``."""
        rows = [
            {"fold": name, "accuracy": value, **interval_as_plain("accuracy", sure)}
            for name, (value, sure) in self.figures.items()
        ]
        mean = {"mean_of_folds": self.mean.value, **interval_as_plain("mean_of_folds", self.mean.sure)}
        return {**self.pooled.as_dict(), "folds": self.folds, "fold_figures": rows, **mean}

    def as_text(self) -> str:
        """The accuracy per fold, then the pooled report."""
        title = f"mean of {counted(len(self.figures), 'fold')}"
        names = [f"fold {printable(name)}" for name in self.figures] + [title]
        width = max(map(len, names))
        shares = [with_interval(*figure) for figure in (*self.figures.values(), self.mean)]
        sizes = [f"; {extent_of(figure.sure)}" if figure.sure else "" for figure in self.figures.values()] + [""]
        lines = [f"{name:{width}}  {share}{size}" for name, share, size in zip(names, shares, sizes, strict=True)]
        return "\n".join([*lines, "", self.pooled.as_text()])


def fold_names(folds: Sequence[str]) -> list[str]:
    """The folds that there are, in order: numbers by their value.

    Examples
    --------
    >>> fold_names(["10", "9", "10"])
    ['9', '10']
    """
    return sorted(set(folds), key=lambda name: (int(name), name) if name.isdecimal() else (0, name))


def accuracy_figure(clips: Sequence[Prediction]) -> Figure:
    """The share of some clips that is decided rightly, with its interval."""
    return share_of([clip.truth == clip.label for clip in clips], [clip.group for clip in clips])
