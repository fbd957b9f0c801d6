"""What a detector hears in a section: it learns from the normal clips, and scores the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sections import NORMAL, Section

from gmmaudio import AnomalyDetector
from gmmaudio.classify.classifier import Decision, Source
from gmmaudio.classify.one_class import threshold_for
from gmmaudio.corpus.audio import Clip, clip_from_array, read_clip
from gmmaudio.evaluate.anomalies import Figures, figures
from gmmaudio.parallel import cores

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WAYS = ("on the clips learnt from", "on clips held out", "on days held out")


@dataclass(frozen=True)
class Heard:
    """A section, and what was made of the clips that could be read.

    Parameters
    ----------
    section : Section
    detector : AnomalyDetector
    scores, levels : (n,) float
        Mean nats per frame, and RMS in dB, of each test clip.
    odd : (n,) bool
    kinds, days : list of str, list of str or None
    clips : list
    thresholds : dict of str to float
        By the way that they were set.
    """

    section: Section
    detector: AnomalyDetector
    scores: Floats
    levels: Floats
    odd: Flags
    kinds: list[str]
    days: list[str | None]
    clips: list[Source]
    thresholds: dict[str, float]

    @property
    def figures(self) -> Figures:
        """At the detector's own threshold."""
        return figures(self.scores, self.odd, self.detector.offset_, self.days)


def hear(section: Section, false_alarms: float, seed: int) -> Heard:
    """Learn from a section's normal clips, and score the others."""
    jobs = cores()
    detector = AnomalyDetector(false_alarms=false_alarms, random_state=seed, n_jobs=jobs)
    thresholds = {}
    if any(section.train_sessions):
        thresholds[WAYS[1]] = detector.fit(section.train).offset_
    detector.fit(section.train, groups=section.train_sessions)
    thresholds[WAYS[2] if any(section.train_sessions) else WAYS[1]] = detector.offset_
    learnt = [score for _, score in scored(detector, section.train, jobs)]
    thresholds[WAYS[0]] = threshold_for(np.array(learnt), false_alarms)
    found = scored(detector, section.test, jobs)
    places = [place for place, _ in found]
    kinds = [section.kinds[place] for place in places]
    clips = [section.test[place] for place in places]
    return Heard(
        section,
        detector,
        np.array([score for _, score in found]),
        np.array([level(clip) for clip in clips]),
        np.array([kind != NORMAL for kind in kinds]),
        kinds,
        [section.test_sessions[place] for place in places],
        clips,
        thresholds,
    )


def scored(detector: AnomalyDetector, clips: Sequence[Source], jobs: int) -> list[tuple[int, float]]:
    """The number and the score of each clip that can be used; the others are named."""
    found = []
    for place, one in enumerate(detector.classifier_.score_all(clips, jobs=jobs)):
        if isinstance(one, Decision):
            found.append((place, one.scores[NORMAL]))
        else:
            print(f"skipped {clips[place]}: {one}")
    return found


def clip_of(source: Source, rate: int) -> Clip:
    """A clip's samples at this rate."""
    return clip_from_array(*source, rate) if isinstance(source, tuple) else read_clip(source, rate)


def level(source: Source) -> float:
    """The energy of a clip in dB of full scale."""
    return float(10 * np.log10(np.mean(clip_of(source, 16000).samples.astype(float) ** 2) + 1e-20))


def pooled(heard: Sequence[Heard], way: str) -> Figures:
    """The figures of all sections together, each at its own threshold set in this way."""
    margins = np.concatenate([one.scores - one.thresholds[way] for one in heard])
    odd = np.concatenate([one.odd for one in heard])
    days = [day and f"{one.section.name} {day}" for one in heard for day in one.days]
    return figures(margins, odd, 0.0, days)
