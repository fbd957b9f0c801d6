"""Missing values: Gaussian conditionals written out row by row, recovery, imputation, laws, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from gmmaudio.errors import DataError
from gmmaudio.gmm.covariance import KINDS, Diagonal, Full, Regulariser
from gmmaudio.gmm.em import Em, Fit, em, fit_from, maximise, run, survey
from gmmaudio.gmm.missing import (
    accumulate_missing,
    impute,
    log_density_missing,
    mean_filled,
    posteriors_missing,
    start_missing,
)
from gmmaudio.gmm.mixture import Mixture
from gmmaudio.gmm.shards import Shard, cut
from gmmaudio.gmm.start import k_means_start
from gmmaudio.gmm.statistics import Statistics, accumulate
from tests.conftest import random_mixture
from tests.recipe import RECIPES, SMALL, load
from tests.test_em import assert_same, random_kind

ALL = sorted(KINDS)
PRECISIONS = [(np.float64, 1e-9), (np.float32, 2e-4)]


def with_gaps(frames: np.ndarray, share: float, seed: int) -> np.ndarray:
    """A copy with a share of the values missing completely at random, whole rows included."""
    # A stream of its own: the frames may come from a generator with the same seed.
    generator = np.random.default_rng(np.random.SeedSequence((seed, 1994)))
    return np.where(generator.random(frames.shape) < share, np.nan, frames).astype(frames.dtype)


def given_shown(mean: np.ndarray, matrix: np.ndarray, frame: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Log density of what a frame shows, and mean and covariance of the whole frame given that.

    By the covariance's own blocks, S_uo S_oo^-1, where the program goes by the precision's.
    """
    shown = ~np.isnan(frame)
    if not shown.any():
        return 0.0, mean, matrix
    block = matrix[np.ix_(shown, shown)]
    slopes = matrix[:, shown] @ np.linalg.inv(block)
    density = multivariate_normal(mean[shown], block).logpdf(frame[shown])
    return float(density), mean + slopes @ (frame[shown] - mean[shown]), matrix - slopes @ matrix[shown]


def by_hand(mixture: Mixture, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, Statistics]:
    """Log densities, posteriors, imputed frames and statistics, one row and one component at a time."""
    k, d = mixture.means.shape
    density, shares, guess = np.empty(len(frames)), np.empty((len(frames), k)), np.zeros(frames.shape)
    first, second = np.zeros((k, d)), np.zeros((k, d, d))
    matrices = mixture.covariance.matrices(k, d)
    for i, frame in enumerate(frames):
        parts = [given_shown(m, s, frame) for m, s in zip(mixture.means, matrices, strict=True)]
        joint = np.log(mixture.weights) + [part[0] for part in parts]
        density[i] = logsumexp(joint)
        shares[i] = np.exp(joint - density[i])
        for c, (_, expected, left) in enumerate(parts):
            guess[i] += shares[i, c] * expected
            about = expected - mixture.centre
            first[c] += shares[i, c] * about
            second[c] += shares[i, c] * (np.outer(about, about) + left)
    kind = mixture.covariance.kind
    reduced = {
        "diag": lambda: np.einsum("kii->ki", second),
        "spherical": lambda: np.einsum("kii->k", second),
        "tied": lambda: second.sum(axis=0),
        "full": lambda: second,
    }[kind]()
    sums = Statistics(shares.sum(axis=0), first, reduced, density.sum(), len(frames), mixture.centre, kind)
    return density, shares, guess, sums


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("kind", ALL)
def test_everything_is_what_conditional_gaussians_say_row_by_row(kind: str, dtype: type, tolerance: float) -> None:
    mixture = random_kind(kind, 3, 3, 5)
    frames = with_gaps(mixture.sample(300, 5)[0].astype(dtype), 0.35, 5)
    frames[:2] = np.nan  # nothing shown at all
    density, shares, guess, sums = by_hand(mixture, frames.astype(np.float64))
    np.testing.assert_allclose(log_density_missing(mixture, frames), density, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(posteriors_missing(mixture, frames), shares, rtol=tolerance, atol=tolerance)
    imputed = impute(mixture, frames)
    assert imputed.dtype == dtype
    np.testing.assert_allclose(imputed, guess, rtol=10 * tolerance, atol=10 * tolerance)
    np.testing.assert_array_equal(imputed[~np.isnan(frames)], frames[~np.isnan(frames)])
    assert_same(accumulate_missing(mixture, frames), sums, 10 * tolerance)


@pytest.mark.parametrize("kind", ALL)
def test_a_large_offset_costs_float32_no_more_than_the_rounding_of_the_data(kind: str) -> None:
    near = random_kind(kind, 3, 3, 4)
    far = Mixture(near.weights, near.means + 10_000, near.covariance)
    single = with_gaps(far.sample(2000, 0)[0].astype(np.float32), 0.3, 0)  # these values have a step of 1e-3
    assert_same(accumulate_missing(far, single), accumulate_missing(far, single.astype(np.float64)), 2e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ALL)
def test_without_gaps_it_is_accumulate(kind: str, dtype: type) -> None:
    mixture = random_kind(kind, 8, 4, 3)
    frames, weights = mixture.sample(3000, 0)[0].astype(dtype), np.random.default_rng(0).uniform(0, 2, 3000)
    assert_same(accumulate_missing(mixture, frames, weights), accumulate(mixture, frames, weights), 1e-12)
    tolerance = 1e-10 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(log_density_missing(mixture, frames), mixture.log_density(frames), rtol=tolerance)
    np.testing.assert_allclose(posteriors_missing(mixture, frames), mixture.posteriors(frames), atol=tolerance)
    np.testing.assert_array_equal(impute(mixture, frames), frames)


@pytest.mark.parametrize("kind", ALL)
def test_a_frame_that_shows_nothing_counts_by_the_weights_alone(kind: str) -> None:
    """The frames beside it are whole, so this also sends whole frames down the way of those with gaps."""
    mixture = random_kind(kind, 4, 3, 4)
    frames = mixture.sample(200, 0)[0]
    nothing = np.full((1, 4), np.nan)
    # E[x] and E[x x'] of a component are its own moments: the model's moments with its weights as occupancy.
    means = mixture.means - mixture.centre
    second = mixture.covariance.moments(mixture.weights, means)
    prior = Statistics(
        mixture.weights, mixture.weights[:, None] * means, second, 0.0, 1.0, mixture.centre, mixture.covariance.kind
    )
    both = accumulate_missing(mixture, np.concatenate([frames, nothing]))
    assert_same(both, accumulate(mixture, frames) + prior, 1e-9)
    assert log_density_missing(mixture, nothing) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(posteriors_missing(mixture, nothing)[0], mixture.weights, rtol=1e-12)
    np.testing.assert_allclose(impute(mixture, nothing)[0], mixture.weights @ mixture.means, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(ALL), st.integers(0, 10**6), st.integers(1, 150), st.integers(0, 150), st.floats(0, 0.9),
    st.booleans(),
)  # fmt: skip
def test_statistics_add_up_over_any_cut(kind: str, seed: int, n: int, where: int, share: float, single: bool) -> None:
    mixture = random_kind(kind, seed, 3, 3)
    frames = with_gaps(mixture.sample(n, seed)[0].astype(np.float32 if single else np.float64), share, seed)
    weights = np.random.default_rng(seed).uniform(0, 2, n)
    a = accumulate_missing(mixture, frames[:where], weights[:where])
    b = accumulate_missing(mixture, frames[where:], weights[where:])
    assert_same(a + b, accumulate_missing(mixture, frames, weights), 1e-3 if single else 1e-8)


@pytest.mark.parametrize("kind", ALL)
def test_a_weight_of_two_is_the_frame_twice_in_data_of_several_pieces(kind: str) -> None:
    mixture = random_kind(kind, 1, 3, 3)
    frames = with_gaps(mixture.sample(10_000, 0)[0], 0.3, 0)
    weights = np.arange(10_000) % 3
    twice = accumulate_missing(mixture, frames.repeat(weights, axis=0))
    assert_same(accumulate_missing(mixture, frames, weights), twice, 1e-9)
    np.testing.assert_allclose(log_density_missing(mixture, frames)[-5:], log_density_missing(mixture, frames[-5:]))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 10**6), st.integers(1, 4), st.floats(0.05, 0.6))
def test_em_never_lowers_the_likelihood_of_what_is_shown(kind: str, seed: int, components: int, share: float) -> None:
    frames = with_gaps(random_kind(kind, seed, 3, 3).sample(400, seed)[0], share, seed)
    start = start_missing(frames, components, np.random.default_rng(seed), passes=0, kind=kind)
    free = Em(iterations=12, tolerance=-np.inf, regulariser=Regulariser(relative_floor=0), min_occupancy=0)
    (fit,) = run([em(start, free, np.ones(3))], [[Shard(frames)]], e_step=accumulate_missing)
    assert np.diff(fit.log_likelihood).min() > -1e-9
    # The figure that does not fall is the mean of what log_density_missing says.
    assert log_density_missing(start, frames).mean() == pytest.approx(fit.log_likelihood[0], rel=1e-9)


SURE = Em(iterations=200, tolerance=1e-6)


def fitted(frames: np.ndarray, components: int, kind: str, how: Em = SURE, jobs: int = 1) -> Fit:
    start = lambda sample: start_missing(sample, components, np.random.default_rng(0), kind=kind)  # noqa: E731
    return run([fit_from(frames, start, how)], [cut(frames, size=1500)], jobs, e_step=accumulate_missing)[0]


@pytest.mark.parametrize("kind", ALL)
def test_means_are_recovered_within_sampling_error_with_a_fifth_missing(kind: str) -> None:
    n, k, d = 20_000, 3, 4
    near = random_kind(kind, 6, k, d)
    corners = 8.0 * np.array([[0, 0, 0, 0], [1, 1, -1, 1], [-1, 1, 1, -1]])  # apart in every column
    truth = Mixture(near.weights, corners, near.covariance)
    fit = fitted(with_gaps(truth.sample(n, 0)[0], 0.2, 0), k, kind)
    assert fit.converged
    found = fit.mixture.means[((fit.mixture.means[:, None] - truth.means) ** 2).sum(axis=2).argmin(axis=0)]
    # The mean of the values shown, 0.8 n w of them, has this standard error; regression on the other columns can
    # only better it. The components are so far apart that who belongs where adds nothing to speak of.
    variances = np.einsum("kii->ki", truth.covariance.matrices(k, d))
    errors = (found - truth.means) / np.sqrt(variances / (0.8 * n * truth.weights[:, None]))
    assert np.abs(errors).max() < 4  # 12 normal deviates: beyond 4 once in 1,300 times
    assert np.sqrt((errors**2).mean()) < 1.6  # chi-square of 12 degrees of freedom: once in 500


def test_imputation_is_better_than_the_mean_by_one_less_rho_squared() -> None:
    """Two columns of correlation rho, one of them missing: its variance given the other is (1 - rho^2) times its own.

    The column's mean errs by the variance, the conditional mean by the conditional variance: that is the factor.
    """
    rho, n = 0.8, 40_000
    truth = Mixture(np.ones(1), np.array([[5.0, -3.0]]), Full(np.array([[[4.0, 2 * rho], [2 * rho, 1.0]]])))
    whole, _ = truth.sample(n, 0)
    generator = np.random.default_rng(1)
    rows = np.flatnonzero(generator.random(n) < 0.4)
    frames = whole.copy()
    frames[rows, generator.integers(2, size=len(rows))] = np.nan
    gaps = np.isnan(frames)

    def errors(filled: np.ndarray) -> np.ndarray:
        squares = np.where(gaps, (filled - whole) ** 2, 0).sum(axis=0) / gaps.sum(axis=0)
        return np.asarray(squares)

    factors = errors(impute(fitted(frames, 1, "full").mixture, frames)) / errors(mean_filled(frames))
    # A mean of m squared normal deviates has relative standard error sqrt(2 / m), and there are two: five of them.
    m = gaps.sum(axis=0).min()
    np.testing.assert_allclose(factors, 1 - rho**2, rtol=5 * np.sqrt(2 * 2 / m))


def test_imputation_error_in_more_dimensions_is_the_mean_conditional_variance() -> None:
    """The same for any pattern: the sum over gaps of conditional variance, over the sum of marginal variance."""
    truth = random_kind("full", 9, 1, 5)
    whole, _ = truth.sample(4000, 0)
    frames = with_gaps(whole, 0.2, 0)
    gaps = np.isnan(frames)
    matrix = truth.covariance.array[0]
    left = sum(float(np.trace(given_shown(truth.means[0], matrix, frame)[2])) for frame in frames)
    theory = left / float((gaps * np.diagonal(matrix)).sum())
    assert theory < 0.7, "there is something to gain"

    def error(filled: np.ndarray) -> float:
        return float(((filled - whole)[gaps] ** 2).sum())

    factor = error(impute(fitted(frames, 1, "full").mixture, frames)) / error(mean_filled(frames))
    assert factor == pytest.approx(theory, rel=5 * np.sqrt(2 * 2 / gaps.sum()))  # as above


@pytest.mark.parametrize("kind", ["diag", "full"])
def test_same_bits_for_any_number_of_workers(kind: str) -> None:
    frames = with_gaps(random_kind(kind, 2, 3, 4).sample(9000, 0)[0].astype(np.float32), 0.2, 0)
    one, three = (fitted(frames, 3, kind, Em(iterations=5), jobs).mixture for jobs in (1, 3))
    assert np.array_equal(one.means, three.means)
    assert np.array_equal(one.covariance.array, three.covariance.array)


def test_round_0_gives_mean_and_variance_of_what_each_column_shows() -> None:
    frames = with_gaps(np.random.default_rng(0).standard_normal((4000, 3)) * [1e-5, 1, 300] + [0, 100, -7], 0.3, 0)
    overall = maximise(accumulate_missing(survey(frames), frames))
    np.testing.assert_allclose(overall.means[0], np.nanmean(frames, axis=0), rtol=1e-7)
    np.testing.assert_allclose(overall.covariance.deviations(1)[0], np.nanstd(frames, axis=0), rtol=1e-7)


def test_the_relative_floor_follows_the_scale_of_what_is_shown() -> None:
    frames = with_gaps(random_mixture(3, 3, 2).sample(2000, 0)[0], 0.3, 0)
    small, large = fitted(frames * 2.0**-20, 3, "diag").mixture, fitted(frames, 3, "diag").mixture
    np.testing.assert_allclose(small.covariance.array * 2.0**40, large.covariance.array, rtol=1e-7)


@pytest.mark.parametrize("kind", ALL)
def test_a_column_that_is_constant_where_shown_is_floored_not_nan(kind: str) -> None:
    frames = random_kind(kind, 5, 3, 3).sample(600, 0)[0]
    frames[:, 1] = 7
    fit = fitted(with_gaps(frames, 0.3, 0), 3, kind)
    for values in (fit.mixture.weights, fit.mixture.means, fit.mixture.covariance.array, fit.log_likelihood):
        assert np.isfinite(values).all()
    np.testing.assert_allclose(fit.mixture.means[:, 1], 7, rtol=1e-6)


def test_gaps_are_filled_with_the_column_s_mean() -> None:
    frames = with_gaps(random_mixture(1).sample(500, 0)[0], 0.2, 0)
    expected = np.where(np.isnan(frames), np.nanmean(frames, axis=0), frames)
    np.testing.assert_allclose(mean_filled(frames), expected, rtol=1e-12)


def test_a_start_without_gaps_is_k_means_start() -> None:
    frames = random_mixture(1).sample(500, 0)[0]
    started, same = (start(frames, 4, np.random.default_rng(3)) for start in (start_missing, k_means_start))
    assert np.array_equal(started.means, same.means)


def test_a_start_is_not_taken_in_by_a_column_of_which_nine_tenths_are_missing() -> None:
    """Two groups that only the second column tells apart: filled with its mean, they look like one and a stripe."""
    generator = np.random.default_rng(0)
    frames = generator.standard_normal((2000, 2)) + np.where(np.arange(2000) % 2, 10, -10)[:, None] * [0, 1]
    frames[generator.random(2000) < 0.9, 1] = np.nan
    means = start_missing(frames, 2, np.random.default_rng(0), kind="full").means
    # A tenth of a thousand frames for each group: six standard errors of their mean, and a start's mixing-in besides.
    np.testing.assert_allclose(np.sort(means[:, 1]), [-10, 10], atol=0.6 + 0.2)


def test_a_column_that_is_missing_everywhere_is_named() -> None:
    frames = np.zeros((10, 3))
    frames[:, 1] = np.nan
    with pytest.raises(DataError, match=r"column 1 is missing in all of the 10 frames") as caught:
        fitted(frames, 1, "diag")
    assert caught.value.code == "empty_column"


def test_no_frames_at_all() -> None:
    mixture = random_mixture(1)
    nothing = np.zeros((0, 3))
    assert_same(accumulate_missing(mixture, nothing), Statistics.zero(mixture), 0)
    assert log_density_missing(mixture, nothing).shape == (0,)
    assert posteriors_missing(mixture, nothing).shape == (0, 4)
    assert impute(mixture, nothing).shape == (0, 3)
    with pytest.raises(DataError, match="4 components need at least 4 frames, got 0"):
        start_missing(nothing, 4, np.random.default_rng(0))


@pytest.mark.parametrize("ask", [accumulate_missing, log_density_missing, posteriors_missing, impute])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["diag", "full"])
def test_infinity_is_refused_by_row_and_column(kind: str, dtype: type, ask: object) -> None:
    mixture = random_kind(kind, 1, 2, 3)
    frames = np.full((5000, 3), np.nan, dtype)
    frames[4321, 2] = -np.inf
    with pytest.raises(DataError, match=r"row 4321, column 2 is -inf") as caught:
        ask(mixture, frames)  # type: ignore[operator]
    assert caught.value.code == "infinite"


@pytest.mark.parametrize("kind", ALL)
def test_a_value_too_large_for_its_precision_is_not_called_a_gap(kind: str) -> None:
    frames = np.array([[np.nan, 1e30, 0], [0, np.nan, 0]], np.float32)
    with pytest.raises(DataError, match="too far from the mixture") as caught:
        accumulate_missing(random_kind(kind, 1, 2, 3), frames)
    assert caught.value.code == "out_of_range"


def test_shapes_and_weights_are_checked() -> None:
    mixture = Mixture(np.ones(1), np.zeros((1, 2)), Diagonal(np.ones((1, 2))))
    with pytest.raises(DataError, match="2 dimensions, the frames 3"):
        log_density_missing(mixture, np.zeros((4, 3)))
    with pytest.raises(DataError, match="weights must"):
        accumulate_missing(mixture, np.full((4, 2), np.nan), [1.0, np.nan, 1, 1])


@pytest.mark.long
def test_the_recipe_s_small_form_says_what_theory_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = load("missing")
    assert recipe.main(["--small", "--out", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "missing.png").read_bytes().startswith(b"\x89PNG")
    assert "(missing.png)" in (RECIPES / "missing" / "RESULTS.md").read_text(encoding="utf-8")
    note, *lines = capsys.readouterr().out.splitlines()
    assert SMALL in note
    assert float(lines[0].split()[-2]) < 1e-10, "scipy's log densities"
    losses = {line[:44].strip(): float(line.split()[-2]) for line in lines if "nothing" in line or "random  " in line}
    # With 0.6^6 of 400 rows whole, 19 frames meet 83 parameters; filling is wrong however many there are.
    best, *others = (losses[f"40 % of values, at random   {way}"] for way in reversed(recipe.WAYS))
    assert losses["nothing"] < best < min(others) / 4
    errors = {
        line[:41].strip(): float(line.split()[-2]) for line in lines if line.startswith(("mixture", "column", "the m"))
    }
    # The conditional mean under the truth has the least squared error there is: a hundredth for chance.
    assert 0.99 * errors["the mixture that made them"] < errors["mixture, integrated out"] < errors["column mean"] / 3
