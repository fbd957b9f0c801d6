"""Two evaluations of the same clips, set against each other: what ``gmmaudio compare A.json B.json`` shows.

What ``evaluate`` and ``crossval --format json`` print is read back, and believed in nothing: the files may
have been edited, cut short, or made from other clips.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from gmmaudio.errors import DataError
from gmmaudio.evaluate.evaluation_text import extent_of, with_interval
from gmmaudio.files import printable
from gmmaudio.measures.intervals import Interval, interval
from gmmaudio.measures.paired import Comparison, compare

_LARGEST = 1 << 28
"""Bytes; an evaluation of a million clips has fewer."""

Key = tuple[str, float | None, float | None]
"""A clip: its path, and where in the file it starts and ends, in seconds."""


@dataclass(frozen=True)
class Answer:
    """What one evaluation says of one clip."""

    truth: str
    label: str | None
    group: str | None


@dataclass(frozen=True)
class ComparedEvaluations:
    """The outcome, with the names of the two evaluations.

    Attributes
    ----------
    first, second : str
        The names of the files.
    found : gmmaudio.measures.paired.Comparison
    intervals : (Interval, Interval)
        Of the two accuracies.
    """

    first: str
    second: str
    found: Comparison
    intervals: tuple[Interval, Interval]

    @property
    def verdict(self) -> str:
        """One sentence: which is better, or that they cannot be told apart."""
        return self.found.verdict(printable(self.first), printable(self.second))

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; ``difference`` is the first accuracy less the second."""
        found = self.found
        return {
            "first": printable(self.first),
            "second": printable(self.second),
            "clips": found.clips,
            "groups": found.interval.groups,
            "accuracies": list(found.accuracies),
            "accuracy_intervals": [[sure.low, sure.high] for sure in self.intervals],
            "accuracy_interval_methods": [sure.method for sure in self.intervals],
            "difference": found.difference,
            "difference_interval": [found.interval.low, found.interval.high],
            "difference_interval_method": found.interval.method,
            "both_right": found.both,
            "first_only_right": found.first_only,
            "second_only_right": found.second_only,
            "neither_right": found.neither,
            "mcnemar_p": found.p,
            "distinguishable": found.distinguishable,
            "verdict": self.verdict,
        }

    def as_text(self) -> str:
        """For the terminal: the accuracies, the clips that differ, the tests, the verdict."""
        found, sure = self.found, self.found.interval
        names = [printable(self.first), printable(self.second)]
        width = max(map(len, names))
        shares = map(with_interval, found.accuracies, self.intervals)
        alone = found.first_only, found.second_only
        lines = [
            f"{name:{width}}  {share}; clips that it alone has right: {clips}"
            for name, share, clips in zip(names, shares, alone, strict=True)
        ]
        return "\n".join(
            [
                *lines,
                f"measured on {extent_of(sure)}; both right on {found.both}, neither on {found.neither}",
                f"difference  {100 * found.difference:+.1f} points  (95 % interval {100 * sure.low:+.1f} to "
                f"{100 * sure.high:+.1f}, {sure.method})",
                f"McNemar's exact test: p = {found.p:.2g}",
                self.verdict,
            ]
        )


def compare_files(first: Path, second: Path, seed: int = 0) -> ComparedEvaluations:
    """Compare two evaluations by the clips that each decided rightly.

    Parameters
    ----------
    first, second : Path
        What ``evaluate`` or ``crossval --format json`` printed. Both must hold the same clips (by path, start
        and end) with the same labels and groups; where one knows no group for a clip, the other's is taken.
    seed : int
        Of the bootstrap, default 0.

    Returns
    -------
    ComparedEvaluations

    Raises
    ------
    DataError
        ``cannot_read``, ``bad_evaluation`` (not such a file), ``clip_twice``, ``different_clips``,
        ``different_truth`` or ``different_groups``.
    """
    one, two = read_answers(first), read_answers(second)
    _same_clips(one, two, first, second)
    keys = sorted(one, key=lambda key: (key[0], key[1] or 0.0, key[2] or 0.0))
    groups = [_group(key, one[key], two[key]) for key in keys]
    right = [[answers[key].label == answers[key].truth for key in keys] for answers in (one, two)]
    found = compare(right[0], right[1], groups, seed)
    return ComparedEvaluations(str(first), str(second), found, (interval(right[0], groups), interval(right[1], groups)))


def read_answers(path: Path) -> dict[Key, Answer]:
    """The predictions of an evaluation that was printed as JSON, by clip.

    Raises
    ------
    DataError
        ``cannot_read``, ``bad_evaluation`` or ``clip_twice``.
    """
    found = _parse(path)
    rows = found.get("predictions") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not rows:
        _refuse(path, "it holds no list of predictions")
    answers: dict[Key, Answer] = {}
    for number, row in enumerate(rows, 1):
        key, answer = _answer(path, number, row)
        if key in answers:
            raise DataError("clip_twice", f"{printable(path)} has two predictions of {_shown(key)}; one is needed")
        answers[key] = answer
    return answers


def _parse(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError("cannot_read", f"cannot read {printable(path)}: {reason}") from error
    if len(data) > _LARGEST:
        _refuse(path, f"it is larger than {_LARGEST >> 20} MiB")
    try:
        return json.loads(data)
    except RecursionError:
        _refuse(path, "it is nested too deeply")
    except ValueError as error:
        _refuse(path, f"it is not JSON: {str(error)[:100]}")


def _answer(path: Path, number: int, row: Any) -> tuple[Key, Answer]:
    if not isinstance(row, dict):
        _refuse(path, f"prediction {number} is not an object")
    for name in ("path", "truth"):
        if not isinstance(row.get(name), str):
            _refuse(path, f"prediction {number} has no {name}, or one that is not a string")
    for name in ("label", "group"):
        if not isinstance(row.get(name), str | None):
            _refuse(path, f"the {name} of prediction {number} is neither a string nor null")
    if "label" not in row:
        _refuse(path, f"prediction {number} has no label")
    span = [_seconds(path, number, row, name) for name in ("start", "end")]
    return (row["path"], span[0], span[1]), Answer(row["truth"], row["label"], row.get("group"))


def _seconds(path: Path, number: int, row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        _refuse(path, f"the {name} of prediction {number} is not a number of seconds")
    return float(value)


def _same_clips(one: Mapping[Key, Answer], two: Mapping[Key, Answer], first: Path, second: Path) -> None:
    for here, there, name in ((one, two, second), (two, one, first)):
        missing = [key for key in here if key not in there]
        if missing:
            raise DataError(
                "different_clips",
                f"{len(missing)} of {len(here)} clips are not in {printable(name)}, such as {_shown(missing[0])}; "
                "the same clips are needed in both",
                "evaluate both models on the same data, with the same --root; a clip that failed is in no prediction",
            )
    for key, answer in one.items():
        if answer.truth != two[key].truth:
            raise DataError(
                "different_truth",
                f"{_shown(key)} is {printable(answer.truth)!r} in {printable(first)} "
                f"and {printable(two[key].truth)!r} in {printable(second)}",
                "evaluate both models against the same labels",
            )


def _group(key: Key, one: Answer, two: Answer) -> str | None:
    if one.group is not None and two.group is not None and one.group != two.group:
        raise DataError(
            "different_groups",
            f"{_shown(key)} is of group {printable(one.group)!r} in one file, of {printable(two.group)!r} in the other",
            "evaluate both models with the same groups",
        )
    return two.group if one.group is None else one.group


def _shown(key: Key) -> str:
    path, start, end = key
    return printable(path) + ("" if start is None and end is None else f" [{start} s to {end} s]")


def _refuse(path: Path, reason: str) -> NoReturn:
    raise DataError(
        "bad_evaluation",
        f"{printable(path)} is not an evaluation: {reason}",
        "give what gmmaudio evaluate or crossval --format json printed",
    )
