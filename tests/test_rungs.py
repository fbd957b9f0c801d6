"""The rungs "map" and "supervector": training from plain pieces, scoring, the same bits, little material."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmaudio.classify.backend import LEAD, Backend, fair_share, train_backend
from gmmaudio.classify.background import AUTO_MOST, FEW, TOP_C, Adaptation, Background, adapt_labels, fit_background
from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.model_file import save, to_bytes
from gmmaudio.classify.scorers import AdaptedScorer
from gmmaudio.classify.supervector import SupervectorScorer, clip_vector
from gmmaudio.errors import DataError
from gmmaudio.features.frontend import PRESETS
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.em import Em
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import Shard, cut
from tests.conftest import random_mixture

Clips = list[list[np.ndarray]]


def material(labels: int = 3, clips: int = 8, frames: int = 40, dimension: int = 4) -> Clips:
    """Clips of labels that share their components and differ in how often each is used; more clips add to the same."""
    shared = random_mixture(0, components=6, dimension=dimension)
    made = []
    for label in range(labels):
        draws = np.random.default_rng(label)
        mixture = Mixture(draws.dirichlet(np.full(6, 0.4)) + 1e-9, shared.means, shared.covariance)
        made.append([mixture.sample(frames, draws)[0].astype(np.float32) for _ in range(clips)])
    return made


def shards(clips: Clips) -> list[list[Shard]]:
    return [cut(np.concatenate(label), size=100) for label in clips]


def test_the_background_gives_each_label_the_same_weight() -> None:
    """Two far clusters, one with nine times the frames: half the weight each, means and variances their own."""
    draws = np.random.default_rng(0)
    low, high = draws.normal(-20, 2, (9000, 1)), draws.normal(20, 3, (1000, 1))
    mixture = fit_background([cut(low), cut(high)], Background(components=2)).mixture
    order = mixture.means[:, 0].argsort()
    np.testing.assert_allclose(mixture.weights, 0.5, atol=1e-9)
    np.testing.assert_allclose(mixture.means[order, 0], [low.mean(), high.mean()], atol=1e-9)
    np.testing.assert_allclose(mixture.covariance.array[order, 0], [low.var(), high.var()], rtol=1e-9)


def test_frames_that_are_read_when_asked_for() -> None:
    clips = material()
    lazy = [[Shard(shard.load) for shard in label] for label in shards(clips)]
    for settings in (Background(4), Background()):
        there, read = (fit_background(parts, settings, jobs=2).mixture for parts in (shards(clips), lazy))
        assert np.array_equal(there.means, read.means)


def test_automatic_components() -> None:
    def fitted(frames: int, dimension: int) -> int:
        values = np.random.default_rng(0).standard_normal((frames, dimension))
        return fit_background([cut(values), cut(values)], Background(em=Em(iterations=1))).mixture.components

    assert fitted(749, 5) == 5  # 1498 frames in all, 50 for each of 5 dimensions and component
    assert fitted(20, 5) == 1
    assert fitted(13_000, 1) == AUTO_MOST


def test_an_adapted_label_by_hand() -> None:
    """One component at 0; 48 frames at 4 move it to 3 (relevance 16), and a frame at x gains (x^2 - (x - 3)^2) / 2."""
    background = Mixture(np.ones(1), np.zeros((1, 1)), Diagonal(np.ones((1, 1))))
    only_means = Adaptation(variances=False, weights=False)
    scorer = adapt_labels(background, [cut(np.full((48, 1), 4.0)), cut(np.zeros((5, 1)))], only_means)
    assert scorer.score_kind == "llr"
    np.testing.assert_allclose(scorer.score(np.array([[2.0], [1.0]])), [((4 - 1) + (1 - 4)) / 4, 0], atol=1e-12)


@pytest.mark.parametrize("components", [8, 40])
def test_the_ratio_is_the_labels_log_density_less_the_background_s(components: int) -> None:
    clips = material(frames=200)
    background = fit_background(shards(clips), Background(components)).mixture
    scorer = adapt_labels(background, shards(clips), Adaptation(c=components))
    frames = clips[1][0].astype(np.float64)
    expected = [m.log_density(frames).mean() - background.log_density(frames).mean() for m in scorer.mixtures]
    np.testing.assert_allclose(scorer.score(frames), expected, atol=1e-9)


def test_how_many_components_are_scored() -> None:
    few, many = (random_mixture(0, components=k) for k in (FEW, FEW + 1))
    frames = [cut(few.sample(50, 0)[0])] * 2
    assert [adapt_labels(b, frames, Adaptation()).c for b in (few, many)] == [FEW, TOP_C]
    assert adapt_labels(few, frames, Adaptation(c=5)).c == 5
    assert adapt_labels(few, frames, Adaptation(c=99)).c == FEW


@pytest.mark.parametrize(
    ("counts", "dimension", "piece"), [((6, 4, 3), 4, 100), ((20, 10, 15), 1, 100), ((6, 4, 3), 4, 7)]
)
def test_the_penalised_squares_have_their_least_at_the_machine(
    counts: tuple[int, ...], dimension: int, piece: int
) -> None:
    """The mean squared error plus the penalty on weights and offsets, each 1e-2: its gradient is 0 (by hand).

    With fewer pieces than values in a vector, and with more; with clips whole, and in pieces. Each label's pieces weigh
    1 / 3 together, each clip's as much as another's of the label.
    """
    clips = [label[:n] for label, n in zip(material(clips=20, dimension=dimension), counts, strict=True)]
    background = fit_background(shards(clips), Background(6)).mixture
    scorer = train_backend(background, clips, Backend(penalty=1e-2, piece=piece)).scorer
    vectors, targets, shares = [], [], []
    for place, label in enumerate(clips):
        for frames in label:
            parts = np.array_split(frames, max(1, round(len(frames) / piece)))
            vectors += [np.append(clip_vector(background, part), 1.0) for part in parts]
            targets += [LEAD * np.eye(3)[place]] * len(parts)
            shares += [1 / 3 / len(label) / len(parts)] * len(parts)
    rows, machine = np.array(vectors), np.column_stack([scorer.weights, scorer.offsets])
    miss = rows @ machine.T - np.array(targets)
    slope = (miss * np.array(shares)[:, None]).T @ rows + 1e-2 * machine
    np.testing.assert_allclose(slope, 0, atol=1e-6)
    assert np.abs(1e-2 * machine).max() > 1e-3, "so that a gradient of 1e-6 is small"


def test_the_machine_has_learnt() -> None:
    clips, fresh = material(clips=24), material(clips=48)
    background = fit_background(shards(clips), Background(6)).mixture
    scorer = train_backend(background, clips, Backend()).scorer
    right = [scorer.score(frames).argmax() == at for at, label in enumerate(fresh) for frames in label[24:]]
    assert sum(right) >= 42  # of 72: guessing gets 24, and so many with a probability of 1e-5 (binomial, 1/3)


def test_two_labels_share_their_lead() -> None:
    """Their targets sum to the lead, so their scores do: but for the penalty on the offset, 1e-4 of it."""
    clips = material(labels=2)
    background = fit_background(shards(clips), Background(4)).mixture
    scorer = train_backend(background, clips, Backend()).scorer
    scores = np.array([scorer.score(frames) for label in clips for frames in label])
    np.testing.assert_allclose(scores.sum(axis=1), LEAD, atol=1e-2)
    assert (scores[:8].argmax(axis=1) == 0).mean() > 0.9
    assert (scores[8:].argmax(axis=1) == 1).mean() > 0.9


def test_every_label_counts_the_same_however_many_clips_it_has() -> None:
    """Twelve copies of one label's only clip are no more than the clip itself."""
    clips = material(clips=3)
    background = fit_background(shards(clips), Background(4)).mixture
    once = train_backend(background, [clips[0][:1], clips[1], clips[2]], Backend()).scorer
    often = train_backend(background, [clips[0][:1] * 12, clips[1], clips[2]], Backend()).scorer
    for label in clips:
        np.testing.assert_allclose(often.score(label[0]), once.score(label[0]), atol=1e-4)


def test_of_too_many_clips_some_of_each_label_are_taken_and_the_rest_counted() -> None:
    clips = material(clips=6)  # of 40 frames: 8 pieces of 5 each
    background = random_mixture(0, dimension=4)
    for most, pieces, taken in ((10_000, 144, 18), (100, 90, 18), (18, 18, 18), (9, 9, 9)):
        machine = train_backend(background, clips, Backend(piece=5, most=most))
        assert (machine.pieces, machine.clips, machine.left_out) == (pieces, taken, 18 - taken), most


def test_clips_are_only_left_out_where_there_are_too_many_in_all() -> None:
    clips = material(labels=2, clips=40)
    background = random_mixture(0, dimension=4)
    machine = train_backend(background, [clips[0], clips[1][:5]], Backend(piece=40, most=45))
    assert (machine.pieces, machine.left_out) == (45, 0)
    few = train_backend(background, [clips[0], clips[1][:5]], Backend(piece=40, most=30))
    assert (few.pieces, few.left_out) == (30, 15)  # of the label with many


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(1, 300))
def test_the_fair_share_is_the_largest_that_fits(sizes: list[int], most: int) -> None:
    share = fair_share(sizes, most)
    fits = [n for n in range(1, max(sizes) + 1) if sum(min(size, n) for size in sizes) <= most]
    assert share == max(fits, default=1)


@pytest.mark.parametrize("n", [1, 2])
def test_very_short_clips_and_one_clip_per_label(n: int) -> None:
    clips = [label[:1] for label in material()]
    background = fit_background(shards(clips), Background()).mixture
    for scorer in (
        adapt_labels(background, shards(clips), Adaptation()),
        train_backend(background, clips, Backend()).scorer,
    ):
        assert np.isfinite(scorer.score(clips[0][0][:n])).all()
        assert np.isfinite(scorer.score(np.full((n, 4), 1e4, np.float32))).all()
        with pytest.raises(DataError, match="at least one frame"):
            scorer.score(np.zeros((0, 4), np.float32))
        with pytest.raises(DataError, match="row 0, column 2"):
            scorer.score(np.array([[0, 0, np.inf, 0]], np.float32))


def trained(clips: Clips, jobs: int, seed: int = 3) -> list[bytes]:
    """The model files of both rungs."""
    parts, settings = shards(clips), Background(5, seed)
    background = fit_background(parts, settings, jobs).mixture
    scorers = (
        adapt_labels(background, parts, Adaptation(), jobs),
        train_backend(background, clips, Backend(), jobs).scorer,
    )
    front_end = PRESETS["speech"]
    return [to_bytes(Classifier(("a", "b", "c"), scorer, front_end)) for scorer in scorers]


def test_the_same_bytes_for_any_jobs_and_for_the_same_seed() -> None:
    clips = material(dimension=30)
    one = trained(clips, jobs=1)
    assert one == trained(clips, jobs=1) == trained(clips, jobs=3)
    assert one != trained(clips, jobs=1, seed=4)


LATER = """
import sys
import numpy
from threadpoolctl import threadpool_info
from gmmaudio.parallel import one_blas_thread

def threads():
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

assert "scipy" not in sys.modules, "this must be the first import of scipy"
usual = threads()
with one_blas_thread():
    import scipy.linalg  # brings a BLAS of its own
    with one_blas_thread():
        assert threads() == {1}, "a library that came later is not limited"
assert threads() == usual, "the limit stays"
"""


def test_a_blas_that_is_loaded_while_the_limit_holds_is_limited_as_well() -> None:
    # As scipy's own is, when the first linear machine is trained: else it had other bits than the second.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", LATER], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_nominal_nats_are_not_multiplied_by_the_frames() -> None:
    """A label whose score is 1 nat higher has e times the posterior, in a clip of any length."""
    background = Mixture(np.ones(1), np.zeros((1, 30)), Diagonal(np.ones((1, 30))))
    scorer = SupervectorScorer(background, np.zeros((2, 60)), np.array([0.0, 1.0]))
    decision = Classifier(("a", "b"), scorer, PRESETS["speech"]).decide_frames(np.ones((500, 30)), 5.0, 5.0)
    assert decision.posteriors["b"] == pytest.approx(np.e / (1 + np.e), abs=1e-12)
    assert decision.score_kind == "logit"


def test_scoring_needs_no_scikit_learn(tmp_path: Path) -> None:
    clips = material(dimension=30)
    background = fit_background(shards(clips), Background(4)).mixture
    scorer = train_backend(background, clips, Backend()).scorer
    save(Classifier(("a", "b", "c"), scorer, PRESETS["speech"]), tmp_path / "m.safetensors")
    code = (
        "import sys, numpy, gmmaudio; noise = numpy.random.default_rng(0).normal(0, 0.1, 8000);"
        f"gmmaudio.load({str(tmp_path / 'm.safetensors')!r}).score((noise, 8000));"
        "print([m for m in ('sklearn', 'scipy', 'librosa', 'matplotlib', 'joblib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_what_cannot_be_trained_is_refused() -> None:
    clips = material(clips=1, frames=3)
    background = random_mixture(0, dimension=4)
    for make, words in (
        (lambda: Background(components=-1), "-1 components"),
        (lambda: Background(seed=-1), "seed -1"),
        (lambda: Adaptation(relevance=0), "relevance 0"),
        (lambda: Adaptation(c=-1), "-1 best"),
        (lambda: Backend(penalty=0), "penalty 0"),
        (lambda: Backend(piece=0), "pieces of 0 frames"),
        (lambda: Backend(most=1), "1 pieces at most"),
        (lambda: fit_background(shards(clips), Background(10)), "9 voiced frames in all for 10 components"),
        (lambda: fit_background([cut(np.zeros((5, 2))), cut(np.zeros((0, 2)))], Background()), r"\[5, 0\] frames"),
        (lambda: train_backend(background, clips[:1], Backend()), "nothing to decide"),
        (lambda: train_backend(background, [clips[0], []], Backend()), "label 1 has no clip"),
        (lambda: AdaptedScorer(background, (background,), 9), "from 1 to 4"),
        (lambda: AdaptedScorer(background, (random_mixture(0, 5, 4),), 4), "mixture 0 has"),
    ):
        with pytest.raises(DataError, match=words):
            make()
