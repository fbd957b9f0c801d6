"""Tracking: the film's known track, closed forms for the background's mixtures, and videos good and bad."""

from __future__ import annotations

import sys
from math import log, pi
from pathlib import Path

import av
import numpy as np
import pytest

from gmmaudio import GaussianMixture
from tests.recipe import RECIPES, SMALL, load

FOLDER = RECIPES / "tracking"


recipe = load("tracking")
background, scene, tracker = (sys.modules[name] for name in ("background", "scene", "tracker"))


@pytest.mark.long
def test_small_form_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipe.main(["--small", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    assert SMALL in printed
    assert "mixture and colour" in printed
    assert " to " not in printed  # two films bear no interval
    assert (tmp_path / "new" / "tracking.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert (tmp_path / "new" / "tracking.gif").read_bytes().startswith(b"GIF89a")
    page = (FOLDER / "RESULTS.md").read_text(encoding="utf-8")
    for name, most in (("tracking.png", 200_000), ("tracking.gif", 1_000_000)):
        assert f"({name})" in page
        assert (FOLDER / name).stat().st_size < most


@pytest.mark.parametrize("seed", [100, 101])
def test_object_is_found_where_the_film_says_it_is(seed: int) -> None:
    made = scene.film(150, seed)
    found = list(recipe.follow(made.frames, made.marked, recipe.marked_box(made), 0))
    by_box, by_mask = recipe.overlaps(made, found)
    ours = by_box[recipe.OURS]
    assert ours.mean() >= 0.7
    assert by_mask[recipe.OURS].mean() >= 0.7
    assert (ours > recipe.LOST).all()
    for way in ("frame difference", "one Gaussian a pixel", "mixture a pixel", "colour only"):
        assert ours.mean() > by_box[way].mean() + 0.2  # what each half lacks is in the film


def test_film_holds_the_object_that_it_says() -> None:
    made = scene.film(60, 0)
    a, b = scene.RADII
    assert not made.masks[: scene.ENTERS].any()
    # The area of an ellipse, but for the pixels that its edge cuts.
    assert made.masks[made.marked].sum() == pytest.approx(pi * a * b, rel=0.03)
    assert recipe.marked_box(made)[2:] == pytest.approx((2 * a, 2 * b), abs=1)
    inside = made.frames[made.marked][made.masks[made.marked]].astype(float)
    red = inside[:, 0] - inside[:, 1]  # both colours are redder than any lawn or bush
    lawn = made.frames[made.marked][50:][~made.masks[made.marked][50:]].astype(float)
    assert red.mean() > (lawn[:, 0] - lawn[:, 1]).mean() + 50


def test_one_component_is_a_running_mean() -> None:
    # Rates of 1 / (t + 1) give each of t + 1 values the same share: the plain mean.
    values = np.random.default_rng(0).uniform(96, 104, (40, 6, 3))  # bounded: none is news
    seen = background.begin(values[0], 1)
    for t, value in enumerate(values[1:], start=1):
        seen, news = background.watch(seen, value, 1 / (t + 1))
        assert not news.any()
    np.testing.assert_allclose(seen.means[0], values.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(seen.weights, 1)


def test_flickering_pixel_gets_the_mixture_that_em_finds() -> None:
    # 400 pixels that flicker alike: two colours, the second 40 % of the time. EM sees one pixel's whole history.
    rng = np.random.default_rng(0)
    colours, second = np.array([[60.0, 70, 120], [235, 235, 250]]), rng.random((600, 400)) < 0.4
    values = colours[second.astype(int)] + 4 * rng.standard_normal((600, 400, 3))
    seen = background.begin(values[0])
    for t, value in enumerate(values[1:], start=1):
        seen, news = background.watch(seen, value, max(0.005, 1 / (t + 1)))
    order = (-seen.weights).argsort(axis=0)[:2]
    weights = np.take_along_axis(seen.weights, order, axis=0).mean(axis=1)
    means = np.take_along_axis(seen.means, order[:, :, None], axis=0).mean(axis=1)
    peer = GaussianMixture(2, covariance_type="spherical", random_state=0).fit(values[:, 0])
    heavy = (-peer.weights_).argsort()
    np.testing.assert_allclose(weights, [0.6, 0.4], atol=0.02)
    np.testing.assert_allclose(weights, peer.weights_[heavy], atol=5 * np.sqrt(0.24 / 600))
    np.testing.assert_allclose(means, peer.means_[heavy], atol=1)
    # Both colours are background. What is news are the 1.24 % beyond 2.5 standard deviations, and their aftermath.
    assert news.mean() < 0.06


def test_what_stands_still_becomes_background_when_the_arithmetic_says() -> None:
    # The old colour's weight is 0.98^n after n frames of the new one, which is news until that falls to 0.7.
    seen = background.begin(np.full((1, 3), 50.0))
    for t in range(1, 200):
        seen, _ = background.watch(seen, np.full((1, 3), 50.0), background.starting_rate(t))
    lasted = 0
    for _ in range(60):
        seen, news = background.watch(seen, np.full((1, 3), 200.0))
        lasted += int(news[0])
    assert lasted == 1 + int(log(0.7) / log(0.98))


def test_overlap_of_boxes_and_of_pixels() -> None:
    # By hand: two 4 x 4 boxes moved by (2, 1): 2 x 3 shared, 32 - 6 in all.
    assert tracker.overlap((0, 0, 4, 4), (2, 1, 4, 4)) == pytest.approx(6 / 26)
    assert tracker.overlap((0, 0, 4, 4), (0, 0, 4, 4)) == 1
    assert tracker.overlap((0, 0, 4, 4), (4, 0, 4, 4)) == 0
    assert tracker.overlap(None, (4, 0, 4, 4)) == 0
    assert tracker.mask_overlap(np.array([True, True, False]), np.array([False, True, True])) == pytest.approx(1 / 3)
    assert scene.box_of(np.zeros((3, 3), bool)) is None


def write_video(path: Path, frames: np.ndarray) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=25, bit_rate=4_000_000)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def test_video_gives_boxes_in_its_own_pixels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = scene.film(80, 3)
    write_video(tmp_path / "film.mp4", made.frames.repeat(2, axis=1).repeat(2, axis=2))  # 256 pixels wide
    box = [str(2 * side) for side in recipe.marked_box(made)]
    command = ["--video", str(tmp_path / "film.mp4"), "--frame", str(made.marked), "--box", *box]
    assert recipe.main([*command, "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert len(lines) == 80 - made.marked - 1
    found = [tuple(int(side) for side in line.split()[1:]) for line in lines if "lost" not in line]
    true = [tuple(2 * side for side in scene.box_of(mask)) for mask in made.masks[made.marked + 1 :]]
    assert len(found) == len(true)
    assert np.mean([tracker.overlap(*pair) for pair in zip(found, true, strict=True)]) > 0.7
    assert (tmp_path / "tracking.gif").exists()


@pytest.mark.parametrize(
    ("content", "extra", "code"),
    [
        (None, ["--box", "2", "2", "20", "20"], "no_such_file"),
        (b"no video at all", ["--box", "2", "2", "20", "20"], "cannot_read"),
        (b"", ["--box", "2", "2", "20", "20"], "cannot_read"),
        ("film", [], "bad_box"),
        ("film", ["--box", "2", "2", "20", "200"], "bad_box"),
        ("film", ["--box", "2", "2", "3", "3"], "bad_box"),
        ("film", ["--box", "0", "0", "128", "96"], "bad_box"),
        ("film", ["--box", "2", "2", "20", "20", "--frame", "9"], "bad_frame"),
    ],
)
def test_bad_video_or_box_is_an_error_with_a_code(
    content: bytes | str | None, extra: list[str], code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "film.mp4"
    if content == "film":
        write_video(path, scene.film(6, 0).frames)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    assert recipe.main(["--video", str(path), *extra, "--out", str(tmp_path)]) == 2
    assert f"[{code}]" in capsys.readouterr().err


def test_without_pyav_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert (
        recipe.main(["--video", str(tmp_path / "film.mp4"), "--box", "2", "2", "20", "20", "--out", str(tmp_path)]) == 2
    )
    assert 'pip install "gmmaudio[av]"' in capsys.readouterr().err
