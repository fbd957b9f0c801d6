"""How a scorer is trained: the three methods, from the simplest up.

=========== ========================================================================= ==========
method      what is trained                                                           score kind
=========== ========================================================================= ==========
ml          one mixture per label, by maximum likelihood                              loglik
map         a background mixture over all labels, adapted to each (Reynolds 2000)     llr
supervector a linear machine on what sets a clip apart from the background            logit
=========== ========================================================================= ==========
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.backend import Backend, train_backend
from gmmaudio.classify.background import Adaptation, Background, adapt_labels, fit_background
from gmmaudio.classify.examples import Example
from gmmaudio.classify.scorers import MixtureScorer, Scorer
from gmmaudio.errors import DataError
from gmmaudio.features.frontend import PRESETS, FrontEnd
from gmmaudio.gmm.em import Em, Fit, fit_from, run
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import Shard, gather, sample_frames
from gmmaudio.gmm.start import k_means_start, sample_size
from gmmaudio.parallel import map_in_order, one_blas_thread
from gmmaudio.seeds import refuse_seed

AUTO = 0
AUTO_MOST = 32
FRAMES_PER_PARAMETER = 50  # voiced frames wanted per component and dimension


@dataclass(frozen=True)
class Training:
    """How a classifier is trained.

    Parameters
    ----------
    front_end : FrontEnd, default the preset "general"
    components : int, default 0
        Components of each label's mixture; 0 chooses ``min(32, voiced frames / (50 * dimensions))``, at least 1, per
        label. For "map" and "supervector" those of the background, of all labels' frames together, up to 256.
    seed : int, default 0
    em : Em
        Of "ml".
    method : "ml", "map" or "supervector", default "ml"
    """

    front_end: FrontEnd = field(default_factory=lambda: PRESETS["general"])
    components: int = AUTO
    seed: int = 0
    em: Em = field(default_factory=Em)
    method: str = "ml"

    def __post_init__(self) -> None:
        if self.components < 0:
            raise DataError("bad_setting", f"{self.components} components; at least 1, or 0 for automatic")
        refuse_seed(self.seed)
        if self.method not in METHODS:
            raise DataError("bad_setting", f"method {self.method!r}; known are {', '.join(METHODS)}")


@dataclass(frozen=True)
class Fitted:
    """A scorer, and the fits behind it.

    Parameters
    ----------
    scorer : Scorer
        Of the labels in sorted order.
    fits : dict of str to Fit
        Per label for "ml", else empty.
    background : Fit or None
        The one over all labels, for "map" and "supervector".
    settings : dict
        The method's own, for the model file.
    remarks : tuple of str
        What went less than well.
    """

    scorer: Scorer
    fits: Mapping[str, Fit] = field(default_factory=dict)
    background: Fit | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


Members = Mapping[str, Sequence[Example]]
"""The examples of each label, in sorted order."""


def fit_scorer(members: Members, settings: Training, jobs: int = 1) -> Fitted:
    """Train a scorer by the method that the settings name.

    Raises
    ------
    DataError
        ``too_few_frames``.
    """
    return METHODS[settings.method](members, settings, jobs)


def fit_ml(members: Members, settings: Training, jobs: int) -> Fitted:
    """One mixture per label, all fitted side by side."""
    shards = [gather([example.frames for example in examples]) for examples in members.values()]
    frames = [sum(map(len, parts)) for parts in shards]
    counts = [_components(label, count, settings) for label, count in zip(members, frames, strict=True)]
    seeds = np.random.SeedSequence(settings.seed).spawn(len(shards))
    with one_blas_thread():
        starts = list(map_in_order(lambda item: _start(*item), zip(shards, counts, seeds, strict=True), jobs))
    fits = run([fit_from(sample, partial(_given, mixture), settings.em) for sample, mixture in starts], shards, jobs)
    scorer = MixtureScorer(tuple(fit.mixture for fit in fits))
    return Fitted(scorer, dict(zip(members, fits, strict=True)), settings={"em": asdict(settings.em)})


def fit_map(members: Members, settings: Training, jobs: int) -> Fitted:
    """A background mixture over all labels, adapted to each."""
    shards = [gather([example.frames for example in examples]) for examples in members.values()]
    background, adaptation = Background(settings.components, settings.seed), Adaptation()
    fit = fit_background(shards, background, jobs)
    scorer = adapt_labels(fit.mixture, shards, adaptation, jobs)
    return Fitted(scorer, {}, fit, {"em": asdict(background.em), "adaptation": asdict(adaptation)})


def fit_supervector(members: Members, settings: Training, jobs: int) -> Fitted:
    """A linear machine on the Fisher vectors of pieces of clips against a background."""
    clips = [[example.frames for example in examples] for examples in members.values()]
    background, backend = Background(settings.components, settings.seed), Backend()
    fit = fit_background([gather(parts) for parts in clips], background, jobs)
    linear = train_backend(fit.mixture, clips, backend, jobs)
    told = {"em": asdict(background.em), "backend": asdict(backend)}
    left = (f"the linear machine learned from {linear.clips} clips; {linear.left_out} more are too many for it",)
    return Fitted(linear.scorer, {}, fit, told, left if linear.left_out else ())


METHODS: dict[str, Callable[[Members, Training, int], Fitted]] = {
    "ml": fit_ml,
    "map": fit_map,
    "supervector": fit_supervector,
}


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
