"""Taking noise out of a spectrogram: the expected speech, given what is heard and a mixture of what speech is like.

Each frame of a spectrogram is a vector of complex numbers, one a frequency. Speech is a mixture: component k says how
much power speech has at each frequency when it is in this "state" (a vowel, a hiss, a pause), v_k(f); the values
themselves are Gaussian around zero. Noise of power n(f) added to that is again such a mixture, with powers v_k + n. So,
given a noisy frame y, the posterior p_k of each state is known, and the expected speech is

    sum over k of p_k v_k / (v_k + n) y,

a Wiener filter for each state, each with its share. No other guess has a smaller squared error on average, if speech
is such a mixture.

References
----------
Burshtein and Gannot (2002), Speech enhancement using a mixture-maximum model, IEEE Trans. SAP 10(6).
Ephraim (1992), A Bayesian estimation approach for speech enhancement using hidden Markov models, IEEE Trans. SP 40(4).
Scalart and Filho (1996), Speech enhancement based on a priori signal to noise estimation, ICASSP.
Berouti, Schwartz and Makhoul (1979), Enhancement of speech corrupted by acoustic noise, ICASSP.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gmmaudio import Mixture
from gmmaudio.gmm.covariance import Diagonal
from gmmaudio.gmm.start import k_means_start
from gmmaudio.gmm.statistics import accumulate

Floats = NDArray[np.float64]
Spectra = NDArray[np.complex128]

RATE, SIZE = 8000, 256  # Hz; samples of a frame: 32 ms, one starts every 16 ms
HOP = SIZE // 2
WINDOW = np.sin(np.pi * (np.arange(SIZE) + 0.5) / SIZE)  # its square and itself a hop later add up to one
LEAST = 1e-5  # no state's power falls below this share of the average at its frequency


def spectra(samples: Floats) -> Spectra:
    """Complex values (frames, 127) of the frequencies between 0 and half the rate, both left out: they are real."""
    padded = np.pad(samples, (HOP, HOP + -len(samples) % HOP))
    return np.asarray(np.fft.rfft(sliding_window_view(padded, SIZE)[::HOP] * WINDOW)[:, 1:-1])


def sound(values: Spectra, length: int) -> Floats:
    """The samples that have these spectra."""
    pieces = np.fft.irfft(np.pad(values, ((0, 0), (1, 1)))) * WINDOW
    halves = np.zeros((len(pieces) + 1, HOP))
    halves[:-1] += pieces[:, :HOP]
    halves[1:] += pieces[:, HOP:]
    return halves.ravel()[HOP : HOP + length]


def power(values: Spectra) -> Floats:
    return np.asarray(values.real**2 + values.imag**2)


def real_rows(values: Spectra) -> NDArray[np.float32]:
    """Real and imaginary parts side by side: complex (n, d) as real (n, 2 d), half of the power in each."""
    return np.concatenate([values.real, values.imag], axis=1).astype(np.float32)  # twice as fast


def states(weights: Floats, powers: Floats) -> Mixture:
    """A mixture around zero with these powers (k, d) of complex values."""
    return Mixture(weights, np.zeros((len(powers), 2 * powers.shape[1])), Diagonal(np.tile(powers / 2, (1, 2))))


def learn(clean: Spectra, components: int, seed: int, passes: int = 20) -> tuple[Floats, Floats]:
    """Weights (k,) and powers (k, d) of the states of speech, by expectation maximisation.

    It starts from k-means of the logarithms of the powers. Its own passes keep all means at zero, so that an M-step
    is the mean power of the frames, each by its posterior.
    """
    powers, rows = power(clean), real_rows(clean)
    least = LEAST * powers.mean(axis=0)
    logs = np.log(powers + least)
    shares = k_means_start(logs, components, np.random.default_rng(seed)).posteriors(logs)
    weights, found = shares.mean(axis=0), shares.T @ powers / shares.sum(axis=0)[:, None]
    for _ in range(passes):
        sums = accumulate(states(weights, np.maximum(found, least)), rows)
        weights = sums.occupancy / sums.frames
        found = sums.second.reshape(components, 2, -1).sum(axis=1) / sums.occupancy[:, None]
    return weights, np.maximum(found, least)


def posterior_mean(noisy: Spectra, noise: Floats, weights: Floats, powers: Floats) -> Spectra:
    """The expected speech (frames, d) in noise of known power (d,)."""
    shares = states(weights, powers + noise).posteriors(real_rows(noisy))
    return np.asarray(shares @ (powers / (powers + noise)) * noisy)


def average_wiener(noisy: Spectra, noise: Floats, average: Floats) -> Spectra:
    """The mixture of one component: speech as it is on average, the same filter all the time."""
    return posterior_mean(noisy, noise, np.ones(1), average[None])


def subtraction(noisy: Spectra, noise: Floats) -> Spectra:
    """The noise's power taken from what is heard, at least 1 % of which is kept (Berouti et al. 1979)."""
    return np.asarray(np.sqrt(np.maximum(1 - noise / power(noisy), 0.01)) * noisy)


def decision_directed(noisy: Spectra, noise: Floats) -> Spectra:
    """A Wiener filter frame by frame, its speech power 98 % that of the frame before (Scalart and Filho 1996)."""
    heard, before, found = power(noisy) / noise, np.zeros(noisy.shape[1]), np.empty_like(noisy)
    for t, frame in enumerate(noisy):
        ratio = np.maximum(0.98 * before + 0.02 * np.maximum(heard[t] - 1, 0), 10**-2.5)
        found[t] = ratio / (1 + ratio) * frame
        before = power(found[t]) / noise
    return found


def knowing(noisy: Spectra, noise: Floats, clean: Spectra) -> Spectra:
    """The Wiener filter that knows each single power of the speech: a bound for filters of this sort."""
    return np.asarray(power(clean) / (power(clean) + noise) * noisy)


def ratio(clean: Floats, found: Floats) -> float:
    """Power of the clean samples over that of what is wrong with those found, in dB."""
    return float(10 * np.log10((clean**2).sum() / ((found - clean) ** 2).sum()))
