"""Signal processing: thresholds by brute force, and filters against the closed forms of Gaussian signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from gmmaudio import GaussianMixture
from tests.recipe import RECIPES, SMALL, load

FOLDER = RECIPES / "signal"


recipe = load("signal")
denoise, pauses = recipe.denoise, recipe.pauses


@pytest.mark.long
def test_small_form_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipe.main(["--small", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    assert SMALL in printed
    assert "best threshold there is" in printed
    page = (FOLDER / "RESULTS.md").read_text(encoding="utf-8")
    for name in ("pauses.png", "denoising.png"):
        assert (tmp_path / "new" / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert f"({name})" in page
        assert (FOLDER / name).stat().st_size < 250_000


def test_best_error_is_that_of_the_best_of_all_thresholds() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        energy, truth = rng.normal(size=30), rng.random(30) < 0.6
        thresholds = [-np.inf, *energy]
        brute = min(float(((energy > threshold) != truth).mean()) for threshold in thresholds)
        assert pauses.best_error(energy, truth) == pytest.approx(brute, abs=1e-15)


def test_threshold_is_where_two_densities_cross() -> None:
    # Equal widths and weights cross in the middle; with weights 3 to 1, log(3) v / (difference of means) further up.
    mixture = GaussianMixture(2, covariance_type="spherical")
    mixture.means_, mixture.covariances_ = np.array([[10.0], [16.0]]), np.array([1.0, 1.0])
    mixture.n_features_in_ = 1
    for weights, expected in (((0.5, 0.5), 13), ((0.75, 0.25), 13 + np.log(3) / 6)):
        mixture.weights_ = np.array(weights)
        assert pauses.threshold(mixture) == pytest.approx(expected, abs=2 * 6 / 2000)  # two steps of the search


@pytest.mark.parametrize("seed", [10, 11])
def test_the_quietest_of_four_finds_the_pauses_almost_as_well_as_one_can(seed: int) -> None:
    errors = [pauses.errors(talk, 10, np.random.default_rng(seed)) for talk in pauses.talks(2, seed)]
    mean = {way: np.mean([error[way] for error in errors]) for way in pauses.WAYS}
    assert mean["best threshold there is"] <= mean["four, the quietest is the pause"]
    assert mean["four, the quietest is the pause"] < mean["best threshold there is"] + 0.03
    assert mean["four, the quietest is the pause"] < mean["all is speech"] - 0.1


def complex_normal(powers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    normal = rng.standard_normal((2, *powers.shape))
    return np.asarray(np.sqrt(powers / 2) * (normal[0] + 1j * normal[1]))


WEIGHTS = np.array([0.5, 0.3, 0.2])
POWERS = np.array([[9.0, 4.0, 1.0, 0.5], [0.3, 1.0, 8.0, 2.0], [0.01, 0.01, 0.01, 0.01]])
NOISE = np.array([1.0, 0.5, 2.0, 1.0])


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Speech that is such a mixture, and what is heard."""
    rng = np.random.default_rng(seed)
    clean = complex_normal(POWERS[rng.choice(3, n, p=WEIGHTS)], rng)
    return clean, clean + complex_normal(np.tile(NOISE, (n, 1)), rng)


def test_posterior_mean_is_the_formula_written_out() -> None:
    _, noisy = drawn(50, 0)
    total = POWERS + NOISE
    # log w + sum over frequencies of the complex Gaussian's log density, -log(pi v) - |y|^2 / v.
    joint = np.log(WEIGHTS) - (np.log(np.pi * total) + np.abs(noisy[:, None]) ** 2 / total).sum(axis=2)
    expected = np.einsum("nk,kd,nd->nd", softmax(joint, axis=1), POWERS / total, noisy)
    found = denoise.posterior_mean(noisy, NOISE, WEIGHTS, POWERS)
    np.testing.assert_allclose(found, expected, atol=2e-5)  # float32


def test_one_state_has_the_error_of_wieners_filter() -> None:
    n, rng = 40_000, np.random.default_rng(0)
    clean = complex_normal(np.tile(POWERS[0], (n, 1)), rng)
    noisy = clean + complex_normal(np.tile(NOISE, (n, 1)), rng)
    error = np.abs(denoise.average_wiener(noisy, NOISE, POWERS[0]) - clean) ** 2
    theory = POWERS[0] * NOISE / (POWERS[0] + NOISE)  # Wiener
    np.testing.assert_allclose(error.mean(axis=0), theory, rtol=5 / np.sqrt(n))  # |.|^2 has deviation = mean


def test_no_filter_beats_the_posterior_mean_where_speech_is_a_mixture() -> None:
    clean, noisy = drawn(40_000, 1)
    ours = denoise.posterior_mean(noisy, NOISE, WEIGHTS, POWERS)
    others = (
        denoise.subtraction(noisy, NOISE),
        denoise.average_wiener(noisy, NOISE, WEIGHTS @ POWERS),
        denoise.decision_directed(noisy, NOISE),
    )
    assert all(
        denoise.ratio(clean.view(float), ours.view(float)) > denoise.ratio(clean.view(float), other.view(float))
        for other in others
    )
    # What is left over has nothing to do with what was found: the mark of a conditional expectation.
    products = ((clean - ours) * ours.conj()).real
    assert (np.abs(products.mean(axis=0)) < 5 * products.std(axis=0) / np.sqrt(len(clean))).all()


def test_states_are_learned_from_their_samples() -> None:
    clean, _ = drawn(20_000, 2)
    weights, powers = denoise.learn(clean, 3, seed=0, passes=60)
    order = [int(np.abs(np.log(powers) - np.log(true)).sum(axis=1).argmin()) for true in POWERS]
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(weights[order], WEIGHTS, atol=0.03)
    np.testing.assert_allclose(powers[order], POWERS, rtol=0.1)


def test_spectra_and_back() -> None:
    rng = np.random.default_rng(0)
    values = np.fft.rfft(rng.standard_normal(8000))
    values[:300] = values[3500:] = 0  # nothing at 0 Hz and at half the rate, which spectra leave out
    samples = np.fft.irfft(values)
    np.testing.assert_allclose(denoise.sound(denoise.spectra(samples), 8000), samples, atol=0.01)
    white = denoise.power(denoise.spectra(rng.standard_normal(400_000))).mean(axis=0)
    np.testing.assert_allclose(white, recipe.noise_power(0), rtol=5 * np.sqrt(1.5 / (400_000 / denoise.HOP)))
