"""The recipes whose data cannot be had here: their code on invented sets of the same layout, and no borrowed figure."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from sklearn.naive_bayes import GaussianNB

from gmmaudio.errors import DataError
from tests.recipe import RECIPES, load

PUBLISHED = {
    "fma": ("41.86", "57.83", "60.98", "54.99", "48.39", "63.04", "62.88"),
    "tut2017": ("74.0", "76.0", "73.1", "73.2", "74.1", "74.8"),
}


fma, tut = load("fma"), load("tut2017")


@pytest.mark.parametrize("name", ["fma", "tut2017"])
def test_results_say_that_nothing_was_run(name: str) -> None:
    page = (RECIPES / name / "RESULTS.md").read_text("utf-8")
    assert page.splitlines()[0].endswith("not run here")
    ours, _, others = page.partition("\n## What")
    assert not re.search(r"\d+\.\d", ours)  # no figure before it is said whose it is
    assert PUBLISHED[name][0] in others
    manifest = (RECIPES.parent / "data_manifest" / f"{name}.md").read_text("utf-8")
    assert "Licence:" in manifest
    assert "Not part of this repository" in manifest


@pytest.mark.parametrize("name", ["fma", "tut2017"])
def test_the_code_knows_no_published_figure(name: str) -> None:
    code = (RECIPES / name / "run.py").read_text("utf-8")
    for figure in PUBLISHED[name]:
        assert figure not in code
        assert str(round(float(figure) / 100, 4)) not in code


@pytest.mark.parametrize("recipe", [fma, tut])
def test_without_the_data_it_says_where_to_get_it(
    recipe: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recipe.main([str(tmp_path)]) == 2
    assert "data_manifest/" in capsys.readouterr().err


# --- FMA ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tracks.csv and features.csv of 260 invented tracks of three genres: 60 are of a larger set and must not count."""
    folder, draw = tmp_path_factory.mktemp("fma"), np.random.default_rng(5)
    genres, features = (
        ("Folk", "Hip-Hop", "Rock"),
        [("mfcc", "mean", "01"), ("mfcc", "std", "02"), ("zcr", "mean", "01")],
    )
    features.append(("mfcc", "max", "20"))
    head = [("album", "title"), ("artist", "id"), ("set", "split"), ("set", "subset"), ("track", "genre_top")]
    numbers = [int(n) for n in draw.permutation(90_000)[:260]]
    with (folder / "tracks.csv").open("w", newline="") as a, (folder / "features.csv").open("w", newline="") as b:
        track, feature = csv.writer(a), csv.writer(b)
        track.writerows([["", *column] for column in zip(*head, strict=True)])
        track.writerow(["track_id", *[""] * len(head)])
        for name, column in zip(("feature", "statistics", "number"), zip(*features, strict=True), strict=True):
            feature.writerow([name, *column])
        feature.writerow(["track_id", *[""] * len(features)])
        for i, number in enumerate(numbers):
            kind = int(draw.choice(3, p=[0.5, 0.3, 0.2]))
            part = ("training", "training", "training", "validation", "test")[i % 5]
            subset = ("small", "medium")[i % 2] if i < 200 else "large"
            artist = f"{kind}{i % 5}{draw.integers(5)}"
            track.writerow([number, 'a "title",\nof two lines', artist, part, subset, genres[kind]])
            values = draw.normal([kind, -kind, 9, 2 * (kind == 1)], [1 + kind, 1, 1, 0.5])
            feature.writerow([number, *(f"{value:.10e}" for value in values * [1, 100, 1, 0.01])])
    return folder


def test_fma_reads_the_published_layout(tracks: Path) -> None:
    parts = fma.read_parts(tracks)
    assert [len(part.genres) for part in parts.values()] == [120, 40, 40]
    rows = parts["training"].rows
    assert rows.shape == (120, 3)  # the zero-crossing column is not an MFCC
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-12)
    assert len(set(parts["test"].artists)) > 3


def test_fma_with_one_component_is_scikit_learns_naive_bayes(tracks: Path) -> None:
    parts = fma.read_parts(tracks)
    training, test = parts["training"], parts["test"]
    ours = fma.fitted(training, 1)[1]
    theirs = GaussianNB().fit(training.rows, training.genres)
    assert ours.predict(test.rows).tolist() == theirs.predict(test.rows).tolist()
    np.testing.assert_allclose(
        ours.predict_joint_log_proba(test.rows), theirs.predict_joint_log_proba(test.rows), rtol=1e-9
    )


def test_fma_prints_its_own_figures(tracks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fma.main([str(tracks), "--jobs", "1"]) == 0
    printed = capsys.readouterr().out
    parts = fma.read_parts(tracks)
    theirs = GaussianNB().fit(parts["training"].rows, parts["training"].genres)
    expected = 100 * theirs.score(parts["test"].rows, parts["test"].genres)
    assert f"one diagonal Gaussian per genre: test {expected:.2f} %  (95 % interval " in printed
    assert "120 training, 40 validation, 40 test tracks; 3 genres, 3 features" in printed
    assert not [figure for figure in PUBLISHED["fma"] if figure in printed]


# --- TUT 2017 -------------------------------------------------------------------------------------------------------

SCENES = ("beach", "bus", "cafe/restaurant")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three invented scenes at four places each, two stereo clips of 0.6 s per place; a fold holds out a place each."""
    data, draw = tmp_path_factory.mktemp("tut"), np.random.default_rng(3)
    (data / "audio").mkdir()
    (data / "evaluation_setup").mkdir()
    clips = []
    for kind, scene in enumerate(SCENES):
        for place in range(4):
            for part in range(2):
                noise = draw.normal(size=(round(0.6 * 44_100), 2))
                hum = np.sin(2 * np.pi * (300 * 4**kind + 20 * place) * np.arange(len(noise)) / 44_100)[:, None]
                name = f"audio/{scene[0]}{kind}{place}_{part}.wav"
                soundfile.write(data / name, 0.03 * noise + 0.2 * hum, 44_100, subtype="PCM_24")
                clips.append((name, scene, f"{scene[0]}{kind}{place}"))
    (data / "meta.txt").write_text("".join("\t".join(clip) + "\n" for clip in clips))
    for fold in range(4):
        test = [clip for clip in clips if int(clip[2][-1]) == fold]
        lists = {
            "train": [f"{name}\t{scene}" for name, scene, _ in clips if (name, scene, _) not in test],
            "test": [name for name, _, _ in test],
            "evaluate": [f"{name}\t{scene}" for name, scene, _ in test],
        }
        for kind_, lines in lists.items():
            (data / "evaluation_setup" / f"fold{fold + 1}_{kind_}.txt").write_text("\n".join(lines) + "\n")
    return data


def test_tut_runs_all_folds(scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tut.main([str(scenes), "--jobs", "1"]) == 0
    printed = capsys.readouterr().out
    assert "24 clips, 3 scenes, 4 folds" in printed
    assert len(re.findall(r"^fold \d: 100.0 %  \(95 % interval", printed, re.MULTILINE)) == 4  # the hums are far apart
    assert "24 clips in 12 groups" in printed
    assert not [figure for figure in PUBLISHED["tut2017"] if figure in printed]


def test_tut_front_end_is_the_baselines(scenes: Path) -> None:
    librosa = pytest.importorskip("librosa")
    clip = tut.read_meta(scenes)["audio/b10_0.wav"]
    found = tut.read_examples([clip], tut.FRONT_END)[0][0].frames
    assert found.shape == (31, 60)  # 0.6 s every 20 ms, centred
    sound = soundfile.read(clip.path)[0].mean(axis=1)
    # The baseline's chain: magnitudes, Slaney filters, 10 log10 within 80 dB, DCT; librosa is the oracle.
    spectrum = np.abs(
        librosa.stft(sound, n_fft=2048, win_length=1764, hop_length=882, window="hamming", pad_mode="constant")
    )
    mels = librosa.filters.mel(sr=44_100, n_fft=2048, n_mels=40, fmin=0, fmax=22_050, htk=False) @ spectrum
    level = 10 * np.log10(np.maximum(mels, 1e-10))
    expected = librosa.feature.mfcc(S=np.maximum(level, level.max() - 80), n_mfcc=20).T
    np.testing.assert_allclose(found[:, :20], expected, atol=2e-3)
    # The deltas' definition (nine frames, edges repeated), by plain loops.
    padded = np.pad(expected, ((4, 4), (0, 0)), mode="edge")
    for t in (0, 7, 30):
        slope = sum(n * padded[t + 4 + n] for n in range(-4, 5)) / 60
        np.testing.assert_allclose(found[t, 20:40], slope, atol=2e-3)


def test_tut_refuses_lists_that_cannot_be_right(scenes: Path, tmp_path: Path) -> None:
    clips = tut.read_meta(scenes)
    setup = tmp_path / "evaluation_setup"
    setup.mkdir()
    names = sorted(clips)

    def refused(training: list[str], test: list[str], truth: list[str]) -> str:
        for name, lines in (("train", training), ("test", test), ("evaluate", truth)):
            (setup / f"fold1_{name}.txt").write_text("\n".join(lines))
        with pytest.raises(DataError) as caught:
            tut.read_fold(tmp_path, 1, clips)
        return caught.value.code

    def line(name: str) -> str:
        return f"{name}\t{clips[name].label}"

    first, same_place, other = names[0], names[1], names[2]
    assert refused([line(other)], [first], [f"{first}\tcafe"]) == "different_truth"
    assert refused([line(other)], [first], [line(same_place)]) == "different_clips"
    assert refused([line(same_place)], [first], [line(first)]) == "leakage"
