"""The recipes that explain: each runs in its small form, and its figures are those of theory or of scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from tests.recipe import RECIPES, SMALL, load

PNG = b"\x89PNG\r\n\x1a\n"


covariance = load("covariance")
hard_or_soft = load("kmeans-or-mixture")


@pytest.mark.long
@pytest.mark.parametrize("name", ["covariance", "kmeans-or-mixture"])
def test_small_form_prints_and_draws(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    assert load(name).main(["--small", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert SMALL in printed
    assert "scikit-learn" in printed
    assert [path.name for path in out.iterdir()] == [f"{name}.png"]
    assert (out / f"{name}.png").read_bytes().startswith(PNG)
    page = (RECIPES / name / "RESULTS.md").read_text(encoding="utf-8")
    assert f"({name}.png)" in page
    assert (RECIPES / name / f"{name}.png").stat().st_size < 200_000


@pytest.mark.parametrize("seed", [0, 1])
def test_each_kind_ends_where_scikit_learn_ends(seed: int) -> None:
    frames, _ = covariance.truth().sample(900, seed)
    for kind, (start, found) in covariance.fitted_kinds(frames, seed).items():
        assert found.covariance.kind == kind
        # Both stop at a gain of 1e-10 nats per point.
        assert found.log_density(frames).mean() == pytest.approx(covariance.oracle(frames, start), abs=1e-8)


def test_numbers_that_each_kind_keeps() -> None:
    # Counted by hand: 2 free weights, 3 means of 2, and 3 variances; 6 variances; one matrix of 3; three of 3.
    frames, _ = covariance.truth().sample(300, 0)
    kept = {kind: found.parameters for kind, (_, found) in covariance.fitted_kinds(frames, 0).items()}
    assert kept == {"spherical": 8 + 3, "diag": 8 + 6, "tied": 8 + 3, "full": 8 + 9}


def test_the_matrices_that_made_the_points_are_found_within_sampling_error() -> None:
    errors = covariance.recovered(900, 20, 0)
    # In standard errors: 180 of them, mean 0 and standard deviation 1 each; the entries of a matrix hang together,
    # so that the standard deviation over all is known to about 1 / sqrt(2 * 60) = 0.09.
    assert np.abs(errors.mean(axis=0)).max() < 4 / np.sqrt(20)
    assert 0.7 < errors.std() < 1.3


def test_standard_error_of_an_entry_is_that_of_drawn_points() -> None:
    # The textbook formula against 400 drawn sample covariances: 3.5 % is the standard error of a deviation of 400.
    true = covariance.truth().covariance.matrices(3, 2)[1]
    generator = np.random.default_rng(0)
    drawn = [np.cov(generator.multivariate_normal([0, 0], true, 360), rowvar=False) for _ in range(400)]
    expected = covariance.standard_errors(900)[1]  # the middle vowel has 0.4 of 900 points
    np.testing.assert_allclose(covariance.entries(np.array(drawn)).std(axis=0), expected, rtol=5 * 0.035)


def test_bic_names_the_kind_that_made_the_points() -> None:
    # A kind with fewer numbers than the truth lacks likelihood, one with more pays about log n for each.
    assert (covariance.choices(900, 0).argmin(axis=1) == np.arange(4)).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_small_variances_give_k_means(seed: int) -> None:
    steps, ours = hard_or_soft.limit(600, seed)
    assert ours < 1e-9
    assert steps[-1].agreement == 1
    assert steps[-1].distance < 1e-6
    assert steps[-1].largest_share > 0.9999
    # A variance above the largest of the points in any direction draws all centres into one place: shares of 1/4.
    frames, _ = hard_or_soft.CLOUDS.sample(600, seed)
    assert steps[0].variance > np.linalg.eigvalsh(np.cov(frames, rowvar=False))[-1]
    assert steps[0].largest_share == pytest.approx(1 / 4, abs=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_k_means_cuts_the_long_cloud_and_a_full_mixture_does_not(seed: int) -> None:
    frames, truth = hard_or_soft.long_and_round().sample(600, seed)
    found = hard_or_soft.groupings(frames, truth, seed)
    index = {name: adjusted_rand_score(truth, labels) for name, labels in found.items()}
    assert index["k-means"] < 0.1  # 0 is chance
    assert index["mixture, full"] > 0.95
    # No grouping is better, on average, than that of the mixture which made the points.
    assert index["mixture, full"] == pytest.approx(index["the mixture that made them"], abs=0.03)


def test_the_point_is_sixty_forty() -> None:
    # By Bayes' rule from the two densities: 1 / (1 + exp(2 x)) = 0.6.
    x = hard_or_soft.SIXTY
    assert 1 / (1 + np.exp(2 * x)) == pytest.approx(0.6, abs=1e-15)
    assert hard_or_soft.PAIR.posteriors(np.array([[x]]))[0] == pytest.approx([0.6, 0.4], abs=1e-12)


def test_rounding_loses_what_theory_says() -> None:
    n = 20_000
    seen = hard_or_soft.loss(n, 0)
    # The normal table: 15.87 % lie beyond one standard deviation. E|x| of a normal around 1: 0.6827 + 2 * 0.2420.
    assert pytest.approx(0.158655, abs=1e-6) == hard_or_soft.ERROR
    assert pytest.approx(0.682689 + 2 * 0.241971, abs=1e-5) == hard_or_soft.HARD_MEAN
    # Five standard errors of a share of n points; of the 2 % of them near the point.
    assert seen.error == pytest.approx(0.158655, abs=5 * np.sqrt(0.159 * 0.841 / n))
    assert seen.foreseen == pytest.approx(0.158655, abs=5 * np.sqrt(0.159 * 0.841 / n))
    assert seen.near == pytest.approx(0.6, abs=5 * np.sqrt(0.24 / (0.02 * n)))
    # The k-means centre: 1.1666; a standard error of about 1.6 / sqrt(n), since its boundary is drawn along.
    assert seen.hard_mean == pytest.approx(1.166630, abs=5 * 1.6 / np.sqrt(n))
    # The mixture's centre: 1; its standard error from the Fisher information of both centres.
    x, _ = hard_or_soft.PAIR.sample(100_000, 1)
    scores = hard_or_soft.PAIR.posteriors(x) * (x - [-1, 1])
    error = np.sqrt(np.linalg.inv(scores.T @ scores / len(x))[1, 1] / n)
    assert error < 0.03  # or the next line would say little
    assert seen.soft_mean == pytest.approx(1, abs=5 * error)
