"""The recipes speeds and em-or-gradient: they run in small, and their figures are those of theory or of scipy."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import norm
from sklearn.mixture import GaussianMixture as Theirs

from gmmaudio import GaussianMixture
from gmmaudio.errors import DataError
from gmmaudio.gmm.em import maximise
from gmmaudio.gmm.start import random_start
from gmmaudio.gmm.statistics import accumulate
from tests.recipe import RECIPES, SMALL, load

NAMES = ["speeds", "em-or-gradient"]


speeds, climbing = load("speeds"), load("em-or-gradient")
MODULES = {"speeds": speeds, "em-or-gradient": climbing}


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_small_form_prints_and_draws(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    assert MODULES[name].main(["--small", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert SMALL in printed
    assert len(printed.splitlines()) > 20
    assert [path.name for path in out.iterdir()] == [f"{name}.png"]
    assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert f"({name}.png)" in (RECIPES / name / "RESULTS.md").read_text("utf-8")
    assert (RECIPES / name / f"{name}.png").stat().st_size < 150_000


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_what_is_printed(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert MODULES[name].main(["--out", str(tmp_path)]) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    page = (RECIPES / name / "RESULTS.md").read_text("utf-8")
    quoted = [
        line for block in re.findall(r"^```\n(.*?)^```", page, re.DOTALL | re.MULTILINE) for line in block.splitlines()
    ]
    quoted = [line for line in quoted if not line.endswith("us a pass")]  # times are the machine's
    assert len(quoted) > 15
    assert [line for line in quoted if line not in printed] == []


# Speeds


def test_the_line_of_a_frequency_table_is_that_of_its_numbers() -> None:
    # Mean and standard deviation of the middles, each repeated as often as it was counted; and scipy's of the speeds.
    drawn = speeds.TRUTHS["commuters"].sample(200, 3)[0][:, 0]
    table = speeds.counts(drawn)
    repeated = np.repeat(speeds.MIDDLES, table)
    first, less, raw, _ = speeds.lines(drawn)
    assert (first.mean, first.deviation) == pytest.approx((repeated.mean(), repeated.std()), rel=1e-9)
    assert (raw.mean, raw.deviation) == pytest.approx(norm.fit(drawn))
    assert less.deviation**2 == pytest.approx(repeated.var() - 4 / 12)  # Sheppard's correction


def test_sheppard_s_correction_takes_off_what_classes_add() -> None:
    drawn = speeds.TRUTHS["commuters"].sample(200_000, 0)[0][:, 0]
    first, less, raw, _ = speeds.lines(drawn)
    assert first.deviation**2 - raw.deviation**2 == pytest.approx(1 / 3, abs=0.03)
    # The table's rounding error has variance 1/3 and is all but free of the speed: its standard error is below 0.01.
    assert less.deviation == pytest.approx(raw.deviation, abs=0.005)


def test_expected_counts_are_those_of_many_riders() -> None:
    truth = speeds.TRUTHS["children, commuters, racers"]
    n = 100_000
    seen, hoped = speeds.counts(truth.sample(n, 1)[0][:, 0]), speeds.expected(truth, n)
    assert (np.abs(seen - hoped) < 5 * np.sqrt(np.maximum(hoped, 1))).all()


def test_chi_square_accepts_the_truth_as_often_as_it_says() -> None:
    truth = speeds.TRUTHS["commuters"]
    tables = [speeds.counts(truth.sample(300, [7, draw])[0][:, 0]) for draw in range(200)]
    # Fitted to each table, as the degrees of freedom assume: a fifth of the chances lie below 0.2.
    fits = [
        speeds.riders((1, repeated.mean(), repeated.std()))
        for repeated in (np.repeat(speeds.MIDDLES, t) for t in tables)
    ]
    chances = np.array([speeds.chi_square(table, fit) for table, fit in zip(tables, fits, strict=True)])
    assert (chances < 0.2).mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / 200) + 0.05)
    assert speeds.chi_square(tables[0], speeds.riders((1, 30, 4))) < 1e-6


@pytest.mark.parametrize("name", list(speeds.TRUTHS))
def test_bic_names_the_groups_and_is_scikit_learn_s(name: str) -> None:
    truth = speeds.TRUTHS[name]
    drawn = truth.sample(600, 5)[0][:, 0]
    choice = speeds.choose(drawn, 0)
    assert choice.chosen.components == truth.components
    for row in choice.candidates[: truth.components]:
        # Both stop at a gain of 1e-6 nats per rider.
        assert row.bic == pytest.approx(speeds.peer_bic(drawn, row.components, 0), abs=0.05)


# What the estimator gained for it: BIC and AIC of a frequency table.


def test_bic_of_weighted_rows_is_that_of_repeated_rows() -> None:
    table = speeds.counts(speeds.TRUTHS["commuters, racers"].sample(400, 0)[0][:, 0])
    middles, repeated = speeds.MIDDLES[:, None], np.repeat(speeds.MIDDLES, table)[:, None]
    model = speeds.of_table(table, 2)
    theirs = Theirs(2, weights_init=model.weights_, means_init=model.means_, precisions_init=model.precisions_)
    theirs.weights_, theirs.means_, theirs.precisions_cholesky_ = (
        model.weights_,
        model.means_,
        model.precisions_cholesky_,
    )
    assert model.bic(middles, sample_weight=table) == pytest.approx(theirs.bic(repeated), rel=1e-9)
    assert model.aic(middles, sample_weight=table) == pytest.approx(theirs.aic(repeated), rel=1e-9)
    with pytest.raises(DataError, match="weights"):
        model.bic(middles, sample_weight=table[1:])
    assert GaussianMixture().fit(repeated).bic(repeated) == pytest.approx(
        Theirs().fit(repeated).bic(repeated), rel=1e-9
    )


# EM or gradient


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_gradient_is_that_of_finite_differences(seed: int) -> None:
    frames, _ = climbing.clouds(2.5).sample(300, seed)
    mixture = random_start(frames, 6, np.random.default_rng(seed))
    exact = climbing.unconstrained(mixture, climbing.slopes(mixture, accumulate(mixture, frames)))
    # scipy's forward differences are good to about the square root of double precision.
    rough = approx_fprime(
        climbing.packed(mixture), lambda at: climbing.unpacked(at, (6, 2)).log_density(frames).mean(), 1e-7
    )
    np.testing.assert_allclose(exact, rough, atol=1e-6)
    assert np.abs(exact).max() > 1e-3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_em_s_step_is_a_matrix_times_the_gradient(seed: int) -> None:
    # Xu and Jordan (1996), theorem 1; their variances are about the old means.
    frames, _ = climbing.clouds(6).sample(300, seed)
    mixture = random_start(frames, 6, np.random.default_rng(seed))
    statistics = accumulate(mixture, frames)
    step = maximise(statistics)
    expected = np.concatenate([step.weights, step.means.ravel(), step.covariance.array.ravel()])
    np.testing.assert_allclose(climbing.em_step_by_gradient(mixture, statistics), expected, rtol=1e-9, atol=1e-9)


def test_what_is_packed_comes_back() -> None:
    mixture = climbing.clouds(2.5)
    back = climbing.unpacked(climbing.packed(mixture), (6, 2))
    np.testing.assert_allclose(back.weights, mixture.weights)
    np.testing.assert_allclose(back.covariance.array, mixture.covariance.array)


def test_where_clouds_overlap_em_takes_the_most_passes_and_all_ends_are_stationary() -> None:
    frames, _ = climbing.clouds(2.5).sample(600, 0)
    found = climbing.climbs(frames, 6, 4, climbing.FLOOR, 2000, 0)
    passes = {way: np.median([c.trace.passes(climbing.CLOSE) for c in some]) for way, some in found.items()}
    assert passes["EM"] > 2 * max(passes["accelerated EM"], passes["gradient (L-BFGS-B)"])
    for some in found.values():
        for climb in some:
            assert (np.diff(climb.trace.best) >= 0).all()
            slopes = climbing.slopes(climb.mixture, accumulate(climb.mixture, frames))
            free = climb.mixture.covariance.array > 1.01 * climbing.FLOOR * frames.var(axis=0)  # not at the floor
            # A maximum has no slope; EM stops where a step gains less than 1e-8.
            assert np.abs(slopes.means[free]).max() < 2e-3


def test_without_a_floor_both_collapse_and_with_one_neither_does() -> None:
    frames = np.random.default_rng(0).standard_normal((40, 2))
    bare = climbing.collapsed(climbing.climbs(frames, 4, 15, climbing.NONE, 500, 0), frames)
    assert bare["EM"] > 0
    assert bare["gradient (L-BFGS-B)"] > 0
    held = climbing.collapsed(climbing.climbs(frames, 4, 15, climbing.FLOOR, 500, 0), frames)
    assert set(held.values()) == {0}


def test_a_spike_gains_a_logarithm_for_each_dimension() -> None:
    frames = np.random.default_rng(1).standard_normal((40, 2))
    assert np.diff(climbing.spike(frames, np.array([1e-4, 1e-5])))[0] == pytest.approx(2 * np.log(10), abs=1e-3)
