"""The training run: labelled clips in, a classifier and an account of what went into it out.

entries -> examples (frames of each clip) -> one mixture per label, all fitted side by side -> Classifier
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

import gmmaudio
from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.examples import Example, ExampleReader, Failure, Progress, read_examples
from gmmaudio.classify.scorers import MixtureScorer
from gmmaudio.corpus.manifest import Entry, require_classes
from gmmaudio.errors import DataError
from gmmaudio.features.frontend import PRESETS, FrontEnd
from gmmaudio.gmm.em import Em, Fit, fit_from, run
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import Shard, gather, sample_frames
from gmmaudio.gmm.start import k_means_start, sample_size
from gmmaudio.parallel import map_in_order, one_blas_thread

AUTO = 0
AUTO_MOST = 32
FRAMES_PER_PARAMETER = 50  # voiced frames wanted per component and dimension
LITTLE_SECONDS = 60.0


@dataclass(frozen=True)
class Training:
    """How a classifier is trained.

    Parameters
    ----------
    front_end : FrontEnd, default the preset "general"
    components : int, default 0
        Components per label; 0 chooses ``min(32, voiced frames / (50 * dimensions))``, at least 1, per label.
    seed : int, default 0
    em : Em
    """

    front_end: FrontEnd = field(default_factory=lambda: PRESETS["general"])
    components: int = AUTO
    seed: int = 0
    em: Em = field(default_factory=Em)

    def __post_init__(self) -> None:
        if self.components < 0:
            raise DataError("bad_setting", f"{self.components} components; at least 1, or 0 for automatic")
        if self.seed < 0:
            raise DataError("bad_setting", f"seed {self.seed}; it must not be negative")


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
    fit : Fit
    """

    label: str
    clips: int
    groups: int
    skipped: int
    voiced_seconds: float
    frames: int
    components: int
    fit: Fit

    @property
    def remarks(self) -> list[str]:
        """What is wrong with this label's material or fit, in words."""
        found = []
        if self.voiced_seconds < LITTLE_SECONDS:
            found.append(f"only {self.voiced_seconds:.0f} s of sound; a minute is little, ten are better")
        if self.frames < FRAMES_PER_PARAMETER * self.components * self.fit.mixture.dimension:
            share = self.frames / (self.components * self.fit.mixture.dimension)
            found.append(f"{share:.0f} frames per component and dimension; {FRAMES_PER_PARAMETER} are advised")
        if self.groups == 1:
            found.append("all clips are of one group: the model may learn the group, not the label")
        if self.fit.floored:
            found.append(f"{self.fit.floored} variances stand at their floor")
        if self.fit.reseeded:
            found.append(f"{self.fit.reseeded} starved components were re-seeded")
        if not self.fit.converged:
            found.append(f"stopped after {len(self.fit.log_likelihood)} iterations, still gaining")
        return found


@dataclass(frozen=True)
class Trained:
    """The outcome of a training run."""

    classifier: Classifier
    classes: tuple[ClassReport, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...] = ()


def train(
    entries: Sequence[Entry],
    settings: Training,
    jobs: int = 1,
    progress: Progress | None = None,
    read: ExampleReader = read_examples,
) -> Trained:
    """Train one mixture per label.

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

    Raises
    ------
    DataError
        ``one_class``, ``empty_class``, ``too_few_frames``.
    """
    require_classes(entries)
    examples, failures = read(entries, settings.front_end, jobs, progress)
    return fit_classes(examples, failures, settings, jobs)


def fit_classes(examples: Sequence[Example], failures: Sequence[Failure], settings: Training, jobs: int = 1) -> Trained:
    """Train on examples whose frames are there already; ``failures`` are reported, and must leave no label empty."""
    labels = sorted({example.entry.label for example in examples} | {failure.entry.label for failure in failures})
    members = {label: [example for example in examples if example.entry.label == label] for label in labels}
    _require_material(members, failures)
    shards = [gather([example.frames for example in members[label]]) for label in labels]
    counts = [_components(label, sum(map(len, parts)), settings) for label, parts in zip(labels, shards, strict=True)]
    seeds = np.random.SeedSequence(settings.seed).spawn(len(labels))
    with one_blas_thread():
        starts = list(map_in_order(lambda item: _start(*item), zip(shards, counts, seeds, strict=True), jobs))
    fits = run(
        [fit_from(sample, partial(_given, mixture), settings.em) for sample, mixture in starts],
        shards,
        jobs,
    )
    classifier = Classifier(
        tuple(labels),
        MixtureScorer(tuple(fit.mixture for fit in fits)),
        settings.front_end,
        _hashes([example.sample_hash for example in examples]),
        _hashes([group_hash(example.entry.group) for example in examples if example.entry.group is not None]),
        _facts(settings, members, fits),
    )
    reports = tuple(_report(label, members[label], failures, fit) for label, fit in zip(labels, fits, strict=True))
    warnings = [*contradictions(examples), *clip_warnings(examples)]
    return Trained(classifier, reports, tuple(failures), tuple(warnings))


def _given(mixture: Mixture, _sample: NDArray[np.floating]) -> Mixture:
    """A start that is there already."""
    return mixture


def _start(
    shards: Sequence[Shard], components: int, seed: np.random.SeedSequence
) -> tuple[NDArray[np.floating], Mixture]:
    """A sample of a label's frames, and where EM begins."""
    generator = np.random.default_rng(seed)
    sample = sample_frames(shards, sample_size(components), generator)
    return sample, k_means_start(sample, components, generator)


def _components(label: str, frames: int, settings: Training) -> int:
    if settings.components == AUTO:
        return max(1, min(AUTO_MOST, frames // (FRAMES_PER_PARAMETER * settings.front_end.dimension)))
    if frames < settings.components:
        raise DataError(
            "too_few_frames",
            f"label {label!r} has {frames} voiced frames for {settings.components} components",
            "use fewer components (--components auto) or give it more audio",
        )
    return settings.components


def _require_material(members: dict[str, list[Example]], failures: Sequence[Failure]) -> None:
    for label, examples in members.items():
        if not examples:
            reasons = [failure.error for failure in failures if failure.entry.label == label]
            raise DataError(
                "empty_class",
                f"none of the {len(reasons)} clips of label {label!r} can be used; the first: {reasons[0].message}",
                reasons[0].hint,
            )
    if len(members) < 2:
        raise DataError("one_class", f"only the label {', '.join(members) or '(none)'}: there is nothing to decide")


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
    return [f"{len(found)} clips {code}: {found[0][0]}: {found[0][1]}" for code, found in sorted(kinds.items())]


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


def _facts(settings: Training, members: dict[str, list[Example]], fits: Sequence[Fit]) -> dict[str, object]:
    """What the model file says of the run: no paths, no names of files, no dates."""
    return {
        "gmmaudio": gmmaudio.__version__,
        "numpy": np.__version__,
        "method": "ml",
        "seed": settings.seed,
        "components": settings.components or "auto",
        "em": asdict(settings.em),
        "classes": {
            label: {
                "clips": len(examples),
                "groups": _groups(examples),
                "frames": sum(len(example.frames) for example in examples),
                "voiced_seconds": round(sum(example.voiced_seconds for example in examples), 3),
                "iterations": len(fit.log_likelihood),
                "log_likelihood": [round(value, 6) for value in fit.log_likelihood],
            }
            for (label, examples), fit in zip(members.items(), fits, strict=True)
        },
    }


def _groups(examples: Sequence[Example]) -> int:
    return len({example.entry.group for example in examples if example.entry.group is not None})


def _report(label: str, examples: Sequence[Example], failures: Sequence[Failure], fit: Fit) -> ClassReport:
    return ClassReport(
        label=label,
        clips=len(examples),
        groups=_groups(examples),
        skipped=sum(failure.entry.label == label for failure in failures),
        voiced_seconds=sum(example.voiced_seconds for example in examples),
        frames=sum(len(example.frames) for example in examples),
        components=fit.mixture.components,
        fit=fit,
    )
