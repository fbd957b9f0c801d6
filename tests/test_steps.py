"""The steps after the extractor: by hand, against written-out loops, and piece by piece against the whole clip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmaudio.errors import DataError
from gmmaudio.features.context import Deltas, ShiftedDeltas, slope
from gmmaudio.features.frames import Frames
from gmmaudio.features.frontend import FrontEnd, front_end_from, preset
from gmmaudio.features.normalise import Normalise
from gmmaudio.features.sliding import SlidingNormalise
from gmmaudio.features.texture import Texture

Local = Deltas | ShiftedDeltas | SlidingNormalise | Texture


def frames_of(values: np.ndarray) -> Frames:
    return Frames(values.astype(np.float32), np.ones(len(values), bool), 0.01)


def test_deltas_by_hand() -> None:
    values = np.array([0.0, 1, 4, 9, 16, 25])[:, None]
    # HTK eq. 5.16 with two frames either side, edges repeated:
    # t=2: (1*(9-1) + 2*(16-0))/10 = 4;  t=0: (1*(1-0) + 2*(4-0))/10 = 0.9
    found = slope(values.astype(np.float32), 2)[:, 0]
    assert found[2] == pytest.approx(4.0)
    assert found[0] == pytest.approx(0.9)


def test_a_constant_has_no_slope_even_at_the_edges() -> None:
    out = Deltas(order=2)(frames_of(np.full((7, 3), 5.0)))
    assert out.values.shape == (7, 9)
    assert np.all(out.values[:, 3:] == 0)


def test_shifted_deltas_are_their_definition() -> None:
    values = np.random.default_rng(0).standard_normal((40, 9))
    out = ShiftedDeltas(7, 1, 3, 7)(frames_of(values)).values
    assert out.shape == (40, 56)
    at = lambda t: values[np.clip(t, 0, 39), :7]  # noqa: E731
    for t in range(40):
        expected = [values[t, :7]]
        for block in range(7):  # Torres-Carrasquillo 2002: c(t + iP + d) - c(t + iP - d)
            # Beyond the clip frames repeat the edge, so both terms are the same there.
            expected.append(at(t + 3 * block + 1) - at(t + 3 * block - 1))
        np.testing.assert_allclose(out[t], np.concatenate(expected), atol=1e-6)


def test_normalisation_uses_the_voiced_frames() -> None:
    values = np.random.default_rng(0).normal(5, 3, (500, 2)).astype(np.float32)
    voiced = np.arange(500) < 400
    values[400:] = 1000
    out = Normalise(variance=True)(Frames(values, voiced, 0.01))
    np.testing.assert_allclose(out.values[:400].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(out.values[:400].std(axis=0), 1, atol=1e-5)


def cepstra(n: int, d: int = 4, seed: int = 0) -> np.ndarray:
    """Numbers of the size of cepstra, with an offset, a drift and a stretch that is constant."""
    generator = np.random.default_rng(seed)
    values = generator.normal(50, 20, d) + 10 * generator.standard_normal((n, d)) + np.linspace(0, 30, n)[:, None]
    values[n // 3 : n // 2] = values[n // 3 : n // 3 + 1]
    return values.astype(np.float32)


# --- sliding normalisation -------------------------------------------------------------------------------------------


def by_kaldi_s_loop(values: np.ndarray, step: SlidingNormalise) -> np.ndarray:
    """SlidingWindowCmn as feat/feature-functions.cc defines it, each window summed anew in float64."""
    n = len(values)
    result = np.empty(values.shape)
    for t in range(n):
        if step.centred:
            first, last = t - step.window // 2, t - step.window // 2 + step.window
        else:
            first, last = t - step.window, t + 1
        if first < 0:
            first, last = 0, last - first
        if not step.centred:
            last = max(t + 1, step.min_window)
        if last > n:
            first, last = max(0, first - (last - n)), n
        window = values[first:last].astype(np.float64)
        result[t] = values[t] - window.mean(axis=0)
        if step.variance:
            variance = np.maximum(window.var(axis=0), 1e-10)
            result[t] = 0 if len(window) == 1 else result[t] / np.sqrt(variance)
    return result


@pytest.mark.parametrize("n", [1, 2, 9, 10, 11, 50, 700])
@pytest.mark.parametrize("variance", [False, True])
@pytest.mark.parametrize(
    "step",
    [
        SlidingNormalise(window=10),
        SlidingNormalise(window=11),
        SlidingNormalise(window=300),
        SlidingNormalise(window=10, centred=False, min_window=1),
        SlidingNormalise(window=10, centred=False, min_window=10),
        SlidingNormalise(window=300, centred=False),
    ],
)
def test_sliding_normalisation_is_kaldi_s(step: SlidingNormalise, variance: bool, n: int) -> None:
    step = SlidingNormalise(step.window, step.centred, step.min_window, variance)
    values = cepstra(n)
    found = step(frames_of(values)).values
    # Where a window is constant the deviation is zero but for rounding, and Kaldi's floor multiplies it by 1e5.
    np.testing.assert_allclose(found, by_kaldi_s_loop(values, step), rtol=1e-5, atol=1e-5)


def test_sums_that_begin_anew_are_the_same_sums() -> None:
    values = cepstra(5000, d=2)  # more than two blocks of 2048
    step = SlidingNormalise(window=300, variance=True)
    np.testing.assert_allclose(step(frames_of(values)).values, by_kaldi_s_loop(values, step), rtol=1e-5, atol=1e-5)


def test_a_change_of_channel_is_followed() -> None:
    values = np.random.default_rng(0).standard_normal((4000, 3)).astype(np.float32)
    louder = values + np.where(np.arange(4000) < 2000, 0, 100).astype(np.float32)[:, None]
    found, plain = (SlidingNormalise(window=300)(frames_of(v)).values for v in (louder, values))
    away = np.abs(np.arange(4000) - 2000) > 150
    np.testing.assert_allclose(found[away], plain[away], atol=1e-4)
    assert np.abs(Normalise()(frames_of(louder)).values[away] - plain[away]).min() > 40


# --- texture windows -------------------------------------------------------------------------------------------------


def texture_by_loop(values: np.ndarray, window: int) -> np.ndarray:
    n = len(values)
    rows = []
    for t in range(n):
        first = min(max(t - window // 2, 0), max(n - window, 0))
        part = values[first : first + window].astype(np.float64)
        rows.append(np.concatenate([part.mean(axis=0), part.std(axis=0)]))
    return np.array(rows)


@pytest.mark.parametrize("n", [1, 2, 99, 100, 101, 2500])
@pytest.mark.parametrize("window", [2, 7, 100])
def test_texture_is_mean_and_deviation_around_each_frame(n: int, window: int) -> None:
    values = cepstra(n)
    found = Texture(window)(frames_of(values)).values
    assert found.shape == (n, 8)
    # Squares of deviations of about 50, 2500 a frame, are summed over 2048 frames: a deviation of zero is found
    # to the root of their rounding, 1e-5.
    np.testing.assert_allclose(found, texture_by_loop(values, window), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("offset", [0.0, 1e4, -3e6])
def test_large_offsets_do_not_make_negative_variances(offset: float) -> None:
    values = (offset + np.random.default_rng(0).standard_normal((3000, 2))).astype(np.float32)
    values[1000:1500] = offset
    found = Texture(100)(frames_of(values)).values
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, texture_by_loop(values, 100), rtol=1e-5, atol=2e-5)


# --- laws of all -----------------------------------------------------------------------------------------------------

LOCAL: list[Local] = [
    Deltas(),
    Deltas(order=1, reach=5),
    Deltas(order=3, reach=1),
    ShiftedDeltas(),
    ShiftedDeltas(3, 4, 2, 1),
    ShiftedDeltas(3, 5, 1, 2),
    SlidingNormalise(window=20),
    SlidingNormalise(window=7, variance=True),
    SlidingNormalise(window=12, centred=False, min_window=5),
    SlidingNormalise(window=2, centred=False, min_window=2, variance=True),
    Texture(window=10),
    Texture(window=3),
]


def noisy(n: int, seed: int) -> Frames:
    generator = np.random.default_rng(seed)
    return Frames(generator.normal(20, 8, (n, 5)).astype(np.float32), generator.random(n) < 0.7, 0.01)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(LOCAL), st.integers(1, 120), st.integers(0, 200), st.integers(1, 40), st.integers(0, 99))
def test_a_piece_with_its_halo_is_the_whole_clip(step: Local, n: int, start: int, count: int, seed: int) -> None:
    frames = noisy(n, seed)
    start %= n
    stop = min(start + count, n)
    low, high = max(0, start - step.halo), min(n, stop + step.halo)
    piece = step(Frames(frames.values[low:high], frames.voiced[low:high], frames.hop))
    found, expected = piece.values[start - low : stop - low], step(frames).values[start:stop]
    if isinstance(step, Deltas | ShiftedDeltas):
        np.testing.assert_array_equal(found, expected)
    else:  # to float32 rounding; the sums begin elsewhere
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("step", LOCAL)
def test_no_halo_is_wider_than_it_must_be(step: Local) -> None:
    halo = step.halo
    frames = noisy(4 * halo + 10, 0)
    n = len(frames.values)
    whole = step(frames).values

    def differs(t: int, low: int, high: int) -> bool:
        piece = step(Frames(frames.values[low:high], frames.voiced[low:high], frames.hop)).values
        return not np.allclose(piece[t - low], whole[t], rtol=1e-4, atol=1e-4)

    assert any(differs(t, max(0, t - halo + 1), min(n, t + halo)) for t in range(n))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([*LOCAL, Normalise(), Normalise(variance=True), SlidingNormalise(), Texture()]),
    st.integers(1, 60),
    st.integers(0, 99),
    st.sampled_from(["noise", "constant", "unvoiced"]),
)
def test_any_clip_gives_finite_frames_of_the_promised_shape(step, n: int, seed: int, kind: str) -> None:  # type: ignore[no-untyped-def]
    frames = noisy(n, seed)
    if kind == "constant":
        frames.values[:] = -15.942385
    if kind == "unvoiced":
        frames.voiced[:] = False
    before = frames.values.copy()
    found = step(frames)
    assert found.values.shape == (n, step.dimension(5))
    assert found.values.dtype == np.float32
    assert found.values.flags.c_contiguous
    assert np.isfinite(found.values).all()
    assert found.voiced is frames.voiced
    np.testing.assert_array_equal(frames.values, before)


def test_a_step_over_the_whole_clip_says_so() -> None:
    assert Normalise().halo is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SlidingNormalise(window=1), "2 to 100000"),
        (lambda: SlidingNormalise(window=10**9), "2 to 100000"),
        (lambda: SlidingNormalise(window=50, centred=False), "1 to the window's 50"),
        (lambda: SlidingNormalise(centred=False, min_window=0), "min_window 0"),
        (lambda: Texture(window=1), "2 to 100000"),
    ],
)
def test_settings_that_make_no_sense(make, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=words) as caught:
        make()
    assert caught.value.code == "bad_setting"


def test_steps_from_toml_and_back(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.toml"
    sliding = 'type = "sliding_normalise"\nwindow = 200\nvariance = true\n'
    file.write_text(f'[[steps]]\n{sliding}[[steps]]\ntype = "texture"\nwindow = 50\n')
    found = preset(str(file))
    assert found == FrontEnd(steps=(SlidingNormalise(window=200, variance=True), Texture(50)))
    assert found.dimension == 26
    assert front_end_from(found.as_dict()) == found
