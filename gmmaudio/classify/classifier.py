"""The classifier: labels, a scorer and a front end, as one value; and what it decides about a clip.

Every label's posterior is prior times likelihood over their sum (Bayes); with equal priors the decision is the
label of greatest likelihood. A calibration, where training could learn one, makes the likelihoods those of the clip
and not of so many independent frames; a gate refuses the clip that no label explains.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmaudio.classify.calibrate import Calibration
from gmmaudio.classify.floor import Floor
from gmmaudio.classify.gate import Gate
from gmmaudio.classify.scorers import Scorer
from gmmaudio.corpus.audio import Clip, ClipWarning, Reader, clip_from_array, read_through
from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.parallel import map_in_order, one_blas_thread

Floats = NDArray[np.float64]
Source = str | PathLike[str] | tuple[ArrayLike, int]

TOO_SHORT = "too_short_for_unknown"
"""The code of the warning that a clip is not answered unknown, where a longer one may be."""


@dataclass(frozen=True)
class Decision:
    """What a classifier says about one clip.

    Parameters
    ----------
    label : str or None
        None when unknown.
    scores, posteriors : dict of str to float
        Per label, in the classifier's order. Posteriors say which label it is if it is one of these: with one label
        that is certain, also where the clip is unknown.
    score_kind : str
        "loglik" or "llr" (mean nats per frame), or "logit".
    margin : float or None
        The score of the label, or of the one that would have been answered, minus the best of the others; None with one
        label. A calibration, or a prior, may prefer another label than the best score's: it is then negative.
    seconds, voiced_seconds : float
        Length of the clip, and of the frames that counted.
    warnings : tuple of ClipWarning
    calibrated : bool, default False
        Whether the posteriors were calibrated. Without that they are far too sure, for the frames of a clip are
        not independent.
    threshold : float or None, default None
        Of a model of one label: below which score a clip is unknown.
    """

    label: str | None
    scores: Mapping[str, float]
    posteriors: Mapping[str, float]
    score_kind: str
    margin: float | None
    seconds: float
    voiced_seconds: float
    warnings: tuple[ClipWarning, ...] = ()
    calibrated: bool = False
    threshold: float | None = None

    @property
    def unknown(self) -> bool:
        return self.label is None

    def as_dict(self) -> dict[str, Any]:
        """The decision as the command line's JSON shows it."""
        return {
            "label": self.label,
            "unknown": self.unknown,
            "scores": dict(self.scores),
            "score_kind": self.score_kind,
            "posteriors": dict(self.posteriors),
            "calibrated": self.calibrated,
            "margin": self.margin,
            "seconds": self.seconds,
            "voiced_seconds": self.voiced_seconds,
            "warnings": [{"code": warning.code, "message": warning.message} for warning in self.warnings],
            **({} if self.threshold is None else {"threshold": self.threshold}),
        }


@dataclass(frozen=True, eq=False, repr=False)
class Classifier:
    """From a clip to a decision.

    Parameters
    ----------
    labels : tuple of str
    scorer : Scorer
        Its scores are in the order of ``labels``.
    front_end : FrontEnd
    clip_hashes : (n, 32) uint8
        SHA-256 of the samples of each training clip, sorted: evaluation refuses clips that were trained on.
    group_hashes : (n, 32) uint8
        SHA-256 of the name of each group among them, sorted: evaluation warns of them.
    training : dict
        Facts about the training run, plain values: versions, seed, settings, counts.
    calibration : Calibration, optional
        Default: none; posteriors are then far too sure.
    gate : Gate, optional
        When to answer that a clip is unknown. Default: never.
    unknown : "auto", "always" or "never", default "auto"
        Whether the gate is used: "auto" does so for clips of such a number of frames that it refuses at most 10 % of
        those that it should know.
    floor : Floor, optional
        Of a model of one label: below which score a clip is unknown, unless ``unknown`` is "never".

    Examples
    --------
    >>> classifier = gmmaudio.load("model.safetensors")          # doctest: +SKIP
    >>> classifier.score("clip.wav").label                       # doctest: +SKIP
    'dog_bark'
    """

    labels: tuple[str, ...]
    scorer: Scorer
    front_end: FrontEnd
    clip_hashes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 32), np.uint8))
    group_hashes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 32), np.uint8))
    training: Mapping[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    gate: Gate | None = None
    unknown: str = "auto"
    floor: Floor | None = None

    def may_refuse(self, frames: int) -> bool:
        """Whether the gate may answer that a clip of so many frames is unknown."""
        if self.gate is None or self.unknown == "never":
            return False
        return self.unknown == "always" or self.gate.bearable(frames)

    def __repr__(self) -> str:
        return f"<Classifier of {len(self.labels)} labels: {', '.join(self.labels[:10])}>"

    def score(
        self,
        source: Source,
        prior: Mapping[str, float] | None = None,
        among: Sequence[str] | None = None,
    ) -> Decision:
        """Decide about one clip.

        Parameters
        ----------
        source : path or (samples, rate)
            Samples are (n,) or (n, channels), integers or floats in [-1, 1].
        prior : dict of str to float, optional
            Relative weight of labels; those left out count 1. Default: all equal.
        among : sequence of str, optional
            Consider these labels only. Default: all.

        Raises
        ------
        ClipError
            The clip cannot be used; the code says why.
        DataError
            ``unknown_label``, ``bad_prior``.
        """
        log_prior = self.log_prior(prior, among)
        with one_blas_thread():
            return self.heard(source, read_through, log_prior)

    def score_all(
        self,
        sources: Iterable[Source],
        prior: Mapping[str, float] | None = None,
        among: Sequence[str] | None = None,
        jobs: int = 1,
        read: Reader = read_through,
    ) -> Iterator[Decision | ClipError]:
        """Decide about many clips on ``jobs`` threads: results in order, an error in the place of a bad clip.

        ``read`` may be what `gmmaudio.corpus.isolate.isolated` makes, to decode in other processes.
        """
        log_prior = self.log_prior(prior, among)

        def one(source: Source) -> Decision | ClipError:
            try:
                return self.heard(source, read, log_prior)
            except ClipError as error:
                return error

        with one_blas_thread():
            yield from map_in_order(one, sources, jobs)

    def heard(self, source: Source, read: Reader, log_prior: Floats) -> Decision:
        """Decide about a source. A file goes block by block through the front end: its samples are never all held."""
        if not isinstance(source, (str, PathLike)):
            if not (isinstance(source, tuple) and len(source) == 2 and np.ndim(source[1]) == 0):
                raise DataError("bad_source", f"a clip is a path or (samples, rate), got {type(source).__name__}")
            samples, rate = source
            return self.decide(clip_from_array(samples, rate, self.front_end.rate), log_prior)
        voiced, facts = read(source, self.front_end.rate, self.front_end.voiced_frames)
        return self.decide_frames(voiced.values, facts.seconds, voiced.seconds, facts.warnings, log_prior)

    def decide(self, clip: Clip, log_prior: Floats | None = None) -> Decision:
        """Decide about a clip that was read at the front end's rate; ``log_prior`` as ``log_prior()`` returns it."""
        voiced = self.front_end.voiced_frames((clip.samples,))
        seconds = len(clip.samples) / clip.rate
        return self.decide_frames(voiced.values, seconds, voiced.seconds, clip.warnings, log_prior)

    def decide_frames(
        self,
        frames: NDArray[np.floating],
        seconds: float,
        voiced_seconds: float,
        warnings: tuple[ClipWarning, ...] = (),
        log_prior: Floats | None = None,
    ) -> Decision:
        """Decide about frames (n, d) that the front end has made.

        Raises
        ------
        ClipError
            ``out_of_range`` where they are too far from the model for a finite score.
        """
        log_prior = np.zeros(len(self.labels)) if log_prior is None else log_prior
        every, count = self._scores(frames), len(frames)
        likelihoods = self.log_likelihoods(every, count)
        kept = np.flatnonzero(np.isfinite(log_prior))
        scores, labels = every[kept], [self.labels[index] for index in kept]
        evidence = likelihoods[kept] + log_prior[kept]
        odds = np.exp(evidence - evidence.max())
        best = int(kept[evidence.argmax()])
        known = self.gate is None or not self.may_refuse(count) or self.gate.accepts(likelihoods, best, count)
        if self.floor is not None and self.unknown != "never":
            known = self.floor.accepts(float(every[best]))
        others = np.delete(every[kept], np.searchsorted(kept, best))
        return Decision(
            label=self.labels[best] if known else None,
            scores=dict(zip(labels, scores.tolist(), strict=True)),
            posteriors=dict(zip(labels, (odds / odds.sum()).tolist(), strict=True)),
            score_kind=self.scorer.score_kind,
            margin=float(every[best] - others.max()) if len(others) else None,
            seconds=seconds,
            voiced_seconds=voiced_seconds,
            warnings=(*warnings, *self._length_warnings(count, voiced_seconds)),
            calibrated=self.calibration is not None,
            threshold=None if self.floor is None else self.floor.threshold,
        )

    def _scores(self, frames: NDArray[np.floating]) -> Floats:
        """The scores (labels,), or a ClipError where a model made to do so, or damaged, gives what is no number."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                scores = self.scorer.score(frames)
        except DataError as error:
            if error.code != "out_of_range":
                raise
            scores = np.full(len(self.labels), np.nan)
        if not np.isfinite(scores).all():
            text = "the model has no finite score for the clip: its frames are too far from the model's"
            raise ClipError("out_of_range", text, "is this a model of such sound, and whole?")
        return scores

    def log_likelihoods(self, scores: Floats, frames: int) -> Floats:
        """Log-likelihoods (labels,) of a clip in nats, up to a constant, from its scores (labels,)."""
        if self.calibration is not None:
            return self.calibration.log_likelihoods(scores, frames)
        return scores if self.scorer.score_kind == "logit" else frames * scores

    def _length_warnings(self, frames: int, voiced_seconds: float) -> list[ClipWarning]:
        found, learned = [], self.calibration or self.floor
        if learned is not None and frames < learned.shortest:
            least = learned.shortest * voiced_seconds / frames
            whose, trust = "calibration", "trust posteriors less"
            if self.floor is not None:
                whose, trust = "the threshold's training", "unknown will be answered more often"
            text = f"{voiced_seconds:.2f} s of sound; {whose} saw no clip below {least:.2f} s: {trust}"
            found.append(ClipWarning("shorter_than_calibrated", text))
        if self.gate is not None and self.unknown == "auto" and self.gate.too_short(frames):
            lost = f"{100 * self.gate.refused(frames):.1f} % of the clips that it should know"
            text = f"{voiced_seconds:.2f} s of sound: not answered unknown, for {lost} would be refused as well"
            found.append(ClipWarning(TOO_SHORT, text))
        return found

    def log_prior(self, prior: Mapping[str, float] | None, among: Sequence[str] | None) -> Floats:
        """Log priors (labels,); minus infinity for labels that are not considered."""
        for name in [*(prior or ()), *(among or ())]:
            if name not in self.labels:
                near = difflib.get_close_matches(name, self.labels, n=1)
                raise DataError(
                    "unknown_label",
                    f"the model has no label {name!r}; it has {', '.join(self.labels)}",
                    f"did you mean {near[0]!r}?" if near else "take labels from this list, spelled as they are there",
                )
        weights = np.array([(prior or {}).get(label, 1.0) for label in self.labels])
        if not (np.isfinite(weights) & (weights >= 0)).all():
            wrong = next(label for label, weight in zip(self.labels, weights, strict=True) if not 0 <= weight < np.inf)
            text = f"the prior of {wrong!r} is {(prior or {})[wrong]}: priors must be finite and not negative"
            raise DataError("bad_prior", text, "give weights such as 0.7; 0 leaves a label out")
        if among is not None:
            weights = weights * [label in among for label in self.labels]
        if not weights.any():
            text = "no label is left with a prior above zero"
            raise DataError("bad_prior", text, "give a weight above zero to one of the labels considered")
        weights = weights / weights.max()  # the sum of large ones would overflow
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(weights / weights.sum()))
