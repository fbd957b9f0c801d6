"""Training the rung "map": a background mixture over all labels, and each label's mixture adapted from it.

The background is also what the rung "supervector" (backend.py) sees clips against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import add

import numpy as np

from gmmaudio.classify.scorers import AdaptedScorer
from gmmaudio.errors import DataError
from gmmaudio.gmm.adapt import adapt
from gmmaudio.gmm.em import Em, Fit, fit_from, run
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import Shard, sample_frames
from gmmaudio.gmm.start import k_means_start, sample_size
from gmmaudio.gmm.statistics import Statistics, accumulate
from gmmaudio.parallel import map_reduce, one_blas_thread
from gmmaudio.seeds import refuse_seed

Labels = Sequence[Sequence[Shard]]

AUTO = 0
AUTO_MOST = 256
FRAMES_PER_PARAMETER = 50  # voiced frames wanted per component and dimension
FEW = 32  # so few components cost less to evaluate than to choose from
TOP_C = 10


@dataclass(frozen=True)
class Background:
    """How a background mixture is trained.

    Parameters
    ----------
    components : int, default 0
        0 chooses ``min(256, frames of all labels / (50 * dimensions))``, at least 1.
    seed : int, default 0
    em : Em
    """

    components: int = AUTO
    seed: int = 0
    em: Em = field(default_factory=lambda: Em(iterations=20))

    def __post_init__(self) -> None:
        if self.components < 0:
            raise DataError("bad_setting", f"{self.components} components; at least 1, or 0 for automatic")
        refuse_seed(self.seed)


@dataclass(frozen=True)
class Adaptation:
    """How each label's mixture is made from the background, and how it is scored.

    On the sets that were looked at (sounds, digits, languages) adapting everything was as accurate as anything else, or
    better; on means of a second of music, adapting means alone was better. The ten best components change a clip's
    score by a few thousandths of a nat per frame; where variances were adapted, that of single clips of sounds by up to
    an eighth, without harm to the decisions.

    Parameters
    ----------
    relevance : float, default 16
        Frames that move a component half-way: see ``adapt``.
    means, variances, weights : bool, default True
        What is adapted.
    c : int, default 0
        Components evaluated per frame, all if there are no more; 0 chooses all of up to 32 and 10 of more.
    """

    relevance: float = 16.0
    means: bool = True
    variances: bool = True
    weights: bool = True
    c: int = AUTO

    def __post_init__(self) -> None:
        if not 0 < self.relevance < np.inf:
            raise DataError("bad_setting", f"relevance {self.relevance}; it must be positive and finite")
        if self.c < 0:
            raise DataError("bad_setting", f"the {self.c} best components; at least 1, or 0 for automatic")


def fit_background(
    labels: Labels, settings: Background, jobs: int = 1, progress: Callable[[int, int], None] | None = None
) -> Fit:
    """Fit one mixture to the frames of all labels, every label with the same weight however much audio it has.

    Frames are read shard by shard; only the sample for the start, as many frames of each label, is held.

    Parameters
    ----------
    labels : sequence, one per label, of sequences of Shard
        Shards without weights.
    settings : Background
    jobs : int, default 1
        Threads; the mixture has the same bits for any number.
    progress : callable, optional
        As in ``run``.

    Raises
    ------
    DataError
        ``empty_class`` for a label without a frame, ``too_few_frames``.

    Examples
    --------
    >>> from gmmaudio.gmm.shards import cut
    >>> low, high = np.full((30, 1), -1.0), np.full((10, 1), 1.0)
    >>> fit = fit_background([cut(low), cut(high)], Background(components=1))
    >>> abs(fit.mixture.means).round(9)  # the mean of all frames is -0.5
    array([[0.]])
    """
    counts = [sum(map(len, shards)) for shards in labels]
    if not counts or 0 in counts:
        raise DataError("empty_class", f"the labels have {counts} frames: a background needs some of each")
    total = sum(counts)
    dimension = labels[0][0].load().shape[1]
    components = _components(total, dimension, settings)
    generator = np.random.default_rng(settings.seed)
    wanted = -(-sample_size(components) // len(labels))
    sample = np.concatenate([sample_frames(shards, wanted, generator) for shards in labels])
    balanced = [
        _weighted(shard, total / len(labels) / count)
        for shards, count in zip(labels, counts, strict=True)
        for shard in shards
    ]
    fitting = fit_from(sample, lambda some: k_means_start(some, components, generator), settings.em)
    return run([fitting], [balanced], jobs, progress)[0]


def adapt_labels(background: Mixture, labels: Labels, settings: Adaptation, jobs: int = 1) -> AdaptedScorer:
    """Adapt the background to each label's frames.

    Parameters
    ----------
    background : Mixture
        Of kind diag or spherical.
    labels : sequence, one per label, of sequences of Shard
    settings : Adaptation
    jobs : int, default 1
        Threads; the scorer has the same bits for any number.

    References
    ----------
    Reynolds, Quatieri and Dunn (2000), Speaker verification using adapted Gaussian mixture models.
    """

    def one(shard: Shard) -> Statistics:
        return accumulate(background, shard.load(), shard.weights)

    with one_blas_thread():
        totals = [map_reduce(one, shards, add, jobs) for shards in labels]
    mixtures = tuple(
        adapt(background, total, settings.relevance, settings.means, settings.variances, settings.weights)
        for total in totals
    )
    wanted = settings.c or (TOP_C if background.components > FEW else background.components)
    return AdaptedScorer(background, mixtures, min(wanted, background.components))


def _components(frames: int, dimension: int, settings: Background) -> int:
    if settings.components == AUTO:
        return max(1, min(AUTO_MOST, frames // (FRAMES_PER_PARAMETER * dimension)))
    if frames < settings.components:
        raise DataError(
            "too_few_frames",
            f"{frames} voiced frames in all for {settings.components} components",
            "use fewer components (--components auto) or give more audio",
        )
    return settings.components


def _weighted(shard: Shard, weight: float) -> Shard:
    """A shard whose frames all count ``weight``, said once and not once per frame."""
    return Shard(shard.frames, np.broadcast_to(np.float64(weight), len(shard)))
