"""Evaluation by duration: the same clips, as they would have been had the recordings stopped sooner.

A clip is cut into parts end to end, of which at most three are taken for each length, evenly spread
(`gmmaudio.classify.pieces`); every piece goes through the front end by itself. Each file is read once. A clip that
does not reach a length, by more than 5 %, is left out there; so the clips of two lengths are the same only if all
are long enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.examples import Example, Failure, Progress, counted
from gmmaudio.classify.gate import UNKNOWN
from gmmaudio.classify.pieces import piece_examples
from gmmaudio.corpus.audio import Reader, read_through
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import ClipError, DataError
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.heldout import prediction
from gmmaudio.evaluate.open_set import SHARES, TITLES, OpenSet, answered, divided
from gmmaudio.evaluate.sure_figure import Figure, bits, in_brackets, interval_as_plain, legend, mark, share_of
from gmmaudio.measures.intervals import Interval
from gmmaudio.parallel import map_in_order, one_blas_thread

if TYPE_CHECKING:
    from gmmaudio.evaluate.cross_validation import CrossValidation

SHORTEST = 0.01  # seconds of a piece
COLUMNS = ("cavg", "cllr", "min_cllr", "calibration_error")

Found = list[Prediction | dict[str, Any]]
"""Predictions, and the records of pieces that failed."""


@dataclass(frozen=True)
class Durations:
    """An evaluation for each length of clip.

    Parameters
    ----------
    found : dict of float to Evaluation
        By seconds, in the order asked for; a length at which there is nothing to evaluate is not among them.
    too_long : mapping of float to str
        Such lengths, mostly for no clip of the model's labels is as long, and what is to be said of each.
    """

    found: Mapping[float, Evaluation]
    too_long: Mapping[float, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """``durations``: a list of what `Evaluation.as_dict` gives, each with ``duration`` in seconds and
        ``identification_error``, without its ``predictions``; ``too_long``: the other lengths,
        with ``too_long_notes``."""
        rows = [_row(*item) for item in self.found.items()]
        return {"durations": rows, "too_long": list(self.too_long), "too_long_notes": list(self.too_long.values())}

    def as_text(self) -> str:
        """A table for the terminal: a line of figures for each length, their 95 % intervals beneath.

        Pieces refused as unknown, where the evaluation holds any, count as errors, too.
        """
        rows = [["seconds", "pieces", "groups", "error %", "refused %", "Cavg", "Cllr", "min-Cllr", "cal. error"]]
        for length, found in self.found.items():
            rows += _rows(length, found)
        marks = [each for found in self.found.values() for each in _marks(found)]
        lines = [*_right(rows), f"beneath: 95 % intervals, {legend(marks)}"]
        lines += _open_set_table({length: each.open_set for length, each in self.found.items() if each.open_set})
        lines += self.too_long.values()
        notes = dict.fromkeys(f"{length:g} s: {text}" for length, each in self.found.items() for text in each.warnings)
        return "\n".join([*lines, *(f"warning: {text}" for text in notes)])


def as_json(found: Evaluation | CrossValidation, durations: Durations | None = None) -> str:
    """An evaluation, and the same by duration, as one JSON object."""
    return json.dumps(found.as_dict() | ({} if durations is None else durations.as_dict()), indent=2)


def as_text(found: Evaluation | CrossValidation, durations: Durations | None = None) -> str:
    """The same for the terminal."""
    return "\n\n".join(part.as_text() for part in (found, durations) if part is not None)


def lengths_from(text: str) -> tuple[float, ...]:
    """Lengths in seconds from a list such as "30,10,3,1".

    Raises
    ------
    DataError
        ``bad_setting``.

    Examples
    --------
    >>> lengths_from("30,10,3,1")
    (30.0, 10.0, 3.0, 1.0)
    """
    try:
        lengths = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise DataError("bad_setting", f"durations {text!r}; seconds are needed", "such as 30,10,3,1") from error
    _check(lengths)
    return lengths


def evaluate_durations(
    classifier: Classifier,
    entries: Sequence[Entry],
    lengths: Sequence[float],
    jobs: int = 1,
    progress: Progress | None = None,
    read: Reader = read_through,
) -> Durations:
    """Evaluate a classifier on pieces of labelled clips, for each length of piece.

    Whether it was trained on these clips is not asked here: evaluate the whole clips first.

    What the classifier refuses, if it may, counts as an error. But where some clips are labelled "unknown", refusals
    are told in the open set alone, and the other figures are those of the likeliest labels, at every length.

    Parameters
    ----------
    classifier : Classifier
    entries : sequence of Entry
    lengths : sequence of float
        Seconds, distinct, at least a hundredth.
    jobs : int, default 1
        Threads, one file each; the figures have the same bits for any number.
    progress : callable, optional
        Called with the number of clips done and their total.
    read : Reader
        As in `gmmaudio.classify.examples.read_examples`.

    Raises
    ------
    DataError
        ``bad_setting``; ``no_decisions`` where no piece of any length could be scored.
    """
    _check(lengths)

    def one(entry: Entry) -> dict[float, Found]:
        try:
            pieces = piece_examples(entry, classifier.front_end, lengths, read=read)
        except ClipError as error:
            return {length: [Failure(entry, error).record()] for length in lengths}
        return {length: [_said(classifier, piece) for piece in same] for length, same in pieces.items()}

    with one_blas_thread():
        clips = list(counted(map_in_order(one, entries, jobs), len(entries), progress))
    pieces = {length: [clip[length] for clip in clips] for length in lengths}
    found = {length: _evaluation(classifier, each) for length, each in pieces.items()}
    there = {length: each for length, each in found.items() if each is not None}
    if any(entry.label == UNKNOWN for entry in entries):  # be they long enough or not
        there = {n: replace(each, predictions=list(map(answered, each.predictions))) for n, each in there.items()}
    if not there:
        raise DataError(
            "no_decisions",
            f"no piece of {', '.join(f'{length:g}' for length in lengths)} s could be scored",
            "ask for shorter --durations",
        )
    return Durations(there, {length: _nothing(length, pieces[length]) for length in lengths if length not in there})


def _check(lengths: Sequence[float]) -> None:
    if not lengths or len(set(lengths)) < len(lengths) or not all(isfinite(n) and n >= SHORTEST for n in lengths):
        shown = ", ".join(f"{length:g}" for length in lengths)
        text = f"durations {shown}; distinct seconds from {SHORTEST:g} on are needed"
        raise DataError("bad_setting", text, "such as 30,10,3,1")


def _said(classifier: Classifier, piece: Example | Failure) -> Prediction | dict[str, Any]:
    told = piece if isinstance(piece, Failure) else prediction(classifier, piece)
    return told.record() if isinstance(told, Failure) else told


def _evaluation(classifier: Classifier, clips: Sequence[Found]) -> Evaluation | None:
    every = [one for clip in clips for one in clip]
    told = [one for one in every if isinstance(one, Prediction)]
    predictions, open_set = divided(told, classifier)
    if not predictions:
        return None
    short = sum(not clip for clip in clips)
    warnings = [f"{short} of {len(clips)} clips are shorter, and left out"] if short else []
    if lost := len(every) - len(told):
        warnings.append(f"{lost} of {len(every)} pieces could not be scored")
    errors = [one for one in every if isinstance(one, dict)]
    return Evaluation(predictions, classifier.labels, errors, warnings, open_set)


def _nothing(length: float, clips: Sequence[Found]) -> str:
    """What is to be said of a length at which nothing can be evaluated."""
    every = [one for clip in clips for one in clip]
    unknown = sum(isinstance(one, Prediction) for one in every)
    told = [f"no clip of the model's labels is as long as {length:g} s"]
    told += [f"{unknown} pieces of clips labelled {UNKNOWN} are left out"] if unknown else []
    told += [f"{lost} pieces could not be scored"] if (lost := len(every) - unknown) else []
    return "; ".join(told)


def _row(length: float, found: Evaluation) -> dict[str, Any]:
    wrong = {"identification_error": 1 - found.accuracy}
    refused = _refused(found)
    plain = {name: value for name, value in found.as_dict().items() if name != "predictions"}
    plain.get("open_set", {}).pop("predictions", None)
    return {
        "duration": length,
        **wrong,
        **interval_as_plain("identification_error", _mirrored(found.interval)),
        "refused_share": refused.value,
        **interval_as_plain("refused_share", refused.sure),
        **plain,
    }


def _mirrored(sure: Interval) -> Interval:
    """Of the errors, from that of the accuracy."""
    return replace(sure, low=1 - sure.high, high=1 - sure.low)


def _refused(found: Evaluation) -> Figure:
    return share_of([label is None for label in found.predicted], found.groups)


def _rows(length: float, found: Evaluation) -> list[list[str]]:
    """The figures, and beneath them their intervals; a dash where there is none."""
    sure, wrong = found.interval, Figure(1 - found.accuracy, _mirrored(found.interval))
    cells = [(f"{length:g}", ""), (str(sure.clips), ""), (str(sure.groups or "-"), "")]
    cells += [_share(wrong), _share(_refused(found))]
    for name in COLUMNS:
        cells.append(_cost(found.posterior_figures.get(name)))
    return [list(row) for row in zip(*cells, strict=True)]


def _open_set_table(found: Mapping[float, OpenSet]) -> list[str]:
    """What the gate makes of pieces, where some are of clips labelled unknown; nothing where none are."""
    if not found:
        return []
    heads = [title + " %" if name in SHARES else title for name, title in TITLES.items()]
    rows, marks = [["seconds", "unknown", "known", *heads]], []
    for length, each in found.items():
        cells = [(f"{length:g}", ""), (str(len(each.unknown)), ""), (str(len(each.known)), "")]
        cells += [_share(figure) if name in SHARES else _cost(figure) for name, figure in each.figures.items()]
        rows += [list(row) for row in zip(*cells, strict=True)]
        marks += [mark(one.sure) for one in each.figures.values() if one and one.sure]
    return [*_right(rows), f"beneath: 95 % intervals, {legend(marks)}"]


def _right(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.rjust, row, widths)) for row in rows]


def _share(figure: Figure | None) -> tuple[str, str]:
    if figure is None:
        return "-", "-"
    value, _, bounds = in_brackets(*figure).partition(" ")
    return value, bounds.strip("()")


def _cost(figure: Figure | None) -> tuple[str, str]:
    if figure is None or figure.sure is None:
        return "-" if figure is None else bits(figure.value), "-"
    sure = figure.sure
    return bits(figure.value), f"{bits(sure.low)}-{bits(sure.high)} {mark(sure)}"


def _marks(found: Evaluation) -> list[str]:
    known = (found.interval, _refused(found).sure, *(sure for _, sure in found.posterior_figures.values()))
    return [mark(sure) for sure in known if sure is not None]
