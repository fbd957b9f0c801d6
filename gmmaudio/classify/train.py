"""The training run: labelled clips in, a classifier and an account of what went into it out.

entries -> examples (frames of each clip) -> scorer (methods.py) -> calibration, gate (inner_folds.py) -> Classifier
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

import gmmaudio
from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.examples import Example, ExampleReader, Failure, Progress, read_examples
from gmmaudio.classify.gate import refuse_reserved
from gmmaudio.classify.gate_fit import FALSE_ACCEPT
from gmmaudio.classify.inner_folds import Pieces, calibrate, whole_clip
from gmmaudio.classify.methods import FRAMES_PER_PARAMETER, Fitted, Training, fit_scorer
from gmmaudio.classify.scorers import Scorer
from gmmaudio.corpus.manifest import Entry, require_classes
from gmmaudio.errors import DataError
from gmmaudio.gmm.em import Fit

__all__ = ["ClassReport", "Trained", "Training", "calibrated", "fit_classes", "train"]

LITTLE_SECONDS = 60.0


@dataclass(frozen=True)
class ClassReport:
    """What training saw of one label.

    Parameters
    ----------
    label : str
    clips, groups, skipped : int
        Clips used, distinct groups among them (0: none known), clips that failed.
    voiced_seconds : float
    frames, components : int
        Its frames, and the components of its mixture, or of the background.
    fit : Fit or None
        That of its own mixture.
    """

    label: str
    clips: int
    groups: int
    skipped: int
    voiced_seconds: float
    frames: int
    components: int
    fit: Fit | None

    @property
    def remarks(self) -> list[str]:
        """What is wrong with this label's material or fit, in words."""
        found = []
        if self.voiced_seconds < LITTLE_SECONDS:
            found.append(f"only {self.voiced_seconds:.0f} s of sound; a minute is little, ten are better")
        if self.groups == 1:
            found.append("all clips are of one group: the model may learn the group, not the label")
        return found + ([] if self.fit is None else fit_remarks(self.fit, self.frames))


def fit_remarks(fit: Fit, frames: int) -> list[str]:
    """What is wrong with a mixture's fit to so many frames, in words."""
    found, parameters = [], fit.mixture.components * fit.mixture.dimension
    if frames < FRAMES_PER_PARAMETER * parameters:
        share = f"{frames / parameters:.0f} frames per component and dimension"
        found.append(f"{share}; {FRAMES_PER_PARAMETER} are advised")
    if fit.floored:
        found.append(f"variances that stand at their floor: {fit.floored}")
    if fit.reseeded:
        found.append(f"starved components that were re-seeded: {fit.reseeded}")
    if not fit.converged:
        found.append(f"stopped after {len(fit.log_likelihood)} iterations, still gaining")
    return found


@dataclass(frozen=True)
class Trained:
    """The outcome of a training run.

    Parameters
    ----------
    classifier : Classifier
    classes : tuple of ClassReport
    failures : tuple of Failure
        Clips that were left out.
    warnings : tuple of str
        About the clips.
    notes : tuple of str
        About the model as a whole: its background, what calibration and gate rest on.
    """

    classifier: Classifier
    classes: tuple[ClassReport, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def train(
    entries: Sequence[Entry],
    settings: Training,
    jobs: int = 1,
    progress: Progress | None = None,
    read: ExampleReader = read_examples,
    pieces: Pieces | None = None,
) -> Trained:
    """Train a classifier.

    Parameters
    ----------
    entries : sequence of Entry
    settings : Training
    jobs : int, default 1
        Threads; the classifier has the same bits for any number.
    progress : callable, optional
        Called with the number of clips read and their total.
    read : callable, default ``read_examples``
        Where the frames come from: decoded from the files, or ``Stored.read`` of a feature store.
    pieces : callable, optional
        Also calibrate the posteriors and learn when to answer "unknown", on these pieces of the clips: see
        ``calibrated``. Takes several times as long.

    Raises
    ------
    DataError
        ``one_class``, ``empty_class``, ``too_few_frames``; ``reserved_label`` for a label called "unknown".
    """
    require_classes(entries)
    refuse_reserved({entry.label for entry in entries})
    examples, failures = read(entries, settings.front_end, jobs, progress)
    trained = fit_classes(examples, failures, settings, jobs)
    return trained if pieces is None else calibrated(trained, examples, settings, pieces, jobs)


def fit_classes(
    examples: Sequence[Example], failures: Sequence[Failure], settings: Training, jobs: int = 1, least: int = 2
) -> Trained:
    """Train on examples whose frames are there already, of ``least`` labels; ``failures`` must leave none empty.

    Raises
    ------
    DataError
        ``one_class``, ``empty_class``, ``too_few_frames``; ``reserved_label`` for a label called "unknown".
    """
    members = _members(examples, failures)
    refuse_reserved(members)
    if len(members) < least:
        raise DataError("one_class", f"only the label {', '.join(members) or '(none)'}: there is nothing to decide")
    fitted = fit_scorer(members, settings, jobs)
    classifier = Classifier(
        tuple(members),
        fitted.scorer,
        settings.front_end,
        _hashes([example.sample_hash for example in examples]),
        _hashes([group_hash(example.entry.group) for example in examples if example.entry.group is not None]),
        _facts(settings, members, fitted),
    )
    reports = tuple(_report(label, members[label], failures, fitted) for label in members)
    warnings = (*contradictions(examples), *clip_warnings(examples))
    notes = list(fitted.remarks)
    if not any(row.groups for row in reports):
        notes.append("no groups (speaker, artist, source recording) are known, so no split can be trusted")
    if fitted.background is not None:
        notes += [f"background: {text}" for text in fit_remarks(fitted.background, sum(row.frames for row in reports))]
    return Trained(classifier, reports, tuple(failures), warnings, tuple(notes))


def calibrated(
    trained: Trained,
    examples: Sequence[Example],
    settings: Training,
    pieces: Pieces = whole_clip,
    jobs: int = 1,
    false_accept: float | None = FALSE_ACCEPT,
) -> Trained:
    """The same with calibrated posteriors and a gate of "unknown", learned on folds inside the training data.

    Parameters
    ----------
    trained : Trained
        What ``fit_classes`` made of the examples.
    examples : sequence of Example
    settings : Training
    pieces : callable, default ``whole_clip``
        ``inner_folds.clip_pieces`` cuts clips to several lengths, so that the calibration knows about duration.
    jobs : int, default 1
    false_accept : float or None, default 0.05
        The share of unknown clips that the gate may let through; None learns no gate.
    """

    def train_fold(some: Sequence[Example]) -> Scorer:
        return fit_scorer(_members(some, ()), settings, jobs).scorer

    separate = settings.method == "ml"
    learned = calibrate(examples, train_fold, pieces, separate, false_accept, settings.seed, jobs)
    classifier = replace(trained.classifier, calibration=learned.calibration, gate=learned.gate)
    return replace(trained, classifier=classifier, notes=(*trained.notes, *learned.notes))


def _members(examples: Sequence[Example], failures: Sequence[Failure]) -> dict[str, list[Example]]:
    """The examples of each label, in sorted order; a label without any is an error."""
    labels = sorted({example.entry.label for example in examples} | {failure.entry.label for failure in failures})
    members = {label: [example for example in examples if example.entry.label == label] for label in labels}
    _require_material(members, failures)
    return members


def _require_material(members: dict[str, list[Example]], failures: Sequence[Failure]) -> None:
    for label, examples in members.items():
        if not examples:
            reasons = [failure.error for failure in failures if failure.entry.label == label]
            many = f"none of the {len(reasons)} clips of label {label!r} can be used; the first"
            told = many if len(reasons) > 1 else f"the only clip of label {label!r} cannot be used"
            raise DataError("empty_class", f"{told}: {reasons[0].message}", reasons[0].hint)


def group_hash(group: str) -> str:
    """What the model file keeps of a group's name: enough to know it again when it is met."""
    return hashlib.sha256(group.encode("utf-8", "surrogateescape")).hexdigest()


def _hashes(digests: Sequence[str]) -> NDArray[np.uint8]:
    """Distinct hexadecimal digests (n, 32), sorted."""
    return np.frombuffer(bytes.fromhex("".join(sorted(set(digests)))), np.uint8).reshape(-1, 32)


def clip_warnings(examples: Sequence[Example]) -> list[str]:
    """What the reading of clips warned of, counted, with one example of each kind."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for example in examples:
        for warning in example.warnings:
            kinds.setdefault(warning.code, []).append((example.entry.name, warning.message))
    return [
        f"{code}: {len(found)} clip{'s' * (len(found) > 1)}, such as {found[0][0]}: {found[0][1]}"
        for code, found in sorted(kinds.items())
    ]


def contradictions(examples: Sequence[Example]) -> list[str]:
    """The same samples under two labels, in words: a machine cannot learn both."""
    first: dict[str, Example] = {}
    found = []
    for example in examples:
        twin = first.setdefault(example.sample_hash, example)
        if twin.entry.label != example.entry.label:
            names = f"{twin.entry.name} ({twin.entry.label}) and {example.entry.name} ({example.entry.label})"
            found.append(f"the same samples stand under two labels: {names}")
    return found


def _facts(settings: Training, members: dict[str, list[Example]], fitted: Fitted) -> dict[str, object]:
    """What the model file says of the run: no paths, no names of files, no dates."""
    facts: dict[str, object] = {
        "gmmaudio": gmmaudio.__version__,
        "numpy": np.__version__,
        "method": settings.method,
        "seed": settings.seed,
        "components": settings.components or "auto",
        **fitted.settings,
        "classes": {
            label: {
                "clips": len(examples),
                "groups": _groups(examples),
                "frames": sum(len(example.frames) for example in examples),
                "voiced_seconds": round(sum(example.voiced_seconds for example in examples), 3),
                **({} if label not in fitted.fits else _course(fitted.fits[label])),
            }
            for label, examples in members.items()
        },
    }
    if fitted.background is not None:
        facts["background"] = _course(fitted.background)
    return facts


def _course(fit: Fit) -> dict[str, object]:
    return {"iterations": len(fit.log_likelihood), "log_likelihood": [round(value, 6) for value in fit.log_likelihood]}


def _groups(examples: Sequence[Example]) -> int:
    return len({example.entry.group for example in examples if example.entry.group is not None})


def _report(label: str, examples: Sequence[Example], failures: Sequence[Failure], fitted: Fitted) -> ClassReport:
    fit = fitted.fits.get(label)
    shown = fit or fitted.background
    return ClassReport(
        label=label,
        clips=len(examples),
        groups=_groups(examples),
        skipped=sum(failure.entry.label == label for failure in failures),
        voiced_seconds=sum(example.voiced_seconds for example in examples),
        frames=sum(len(example.frames) for example in examples),
        components=0 if shown is None else shown.mixture.components,
        fit=fit,
    )
