"""The language recipe in small, and what it says of figures that are known. The small run needs espeak-ng."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gmmaudio.classify.gate import Gate, Level
from gmmaudio.errors import DataError
from gmmaudio.evaluate.durations import Durations
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from tests.recipe import RECIPES, load

RECIPE = RECIPES / "language"


recipe, unknown, trap = (load("language", name) for name in ("run", "unknown", "trap"))
gates = sys.modules["gates"]  # as the recipe itself imports it


needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
SMALL = ["--languages", "4", "--voices", "6", "--clips-per-voice", "1", "--training-clips", "1", "--seconds", "3"]


@needs_espeak
@pytest.mark.long
def test_a_small_run_shows_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GMMAUDIO_DATA", raising=False)
    picture = tmp_path / "reliability.png"
    assert recipe.main([*SMALL, "--work", str(tmp_path), "--picture", str(picture), "--jobs", "2"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(
        "4 languages; 16 clips of 4 voices to train on, 8 clips of\n2 other voices to test on; 3 s each"
    )
    for rung in ("ml", "map", "supervector"):
        table = text.split(f"\n{rung}: test voices\n")[1].splitlines()
        rows = [line.split()[:3] for line in table[1:5:2]]
        assert rows == [["3", "8", "2"], ["1", "24", "2"]]  # seconds, pieces, voices: three of 1 s in each clip
    assert text.count("Cllr ") >= 6
    silence = next(line for line in text.splitlines() if line.startswith("  silence"))
    assert "10 clips: false accepts 0.0 (" in silence  # nothing is heard in it, so nothing can be answered
    assert "10 not scored (silence)" in silence
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@needs_espeak
@pytest.mark.long
def test_every_language_is_held_out_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unknown.main([*SMALL, "--work", str(tmp_path), "--jobs", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for end in (-6, None):  # what was measured, and what was learned
        assert [line.split()[0] for line in lines[:end][-4:]] == ["de", "en-gb", "es", "fi"]
    rows = [line.split() for line in lines if line.split()[:1] in (["3"], ["1"])]
    # 8 test clips, each unknown in its language's turn and known in the three others; three pieces of 1 s in each.
    assert [(row[0], row[1], row[4]) for row in rows] == [("3", "8", "24"), ("1", "24", "72")]


def test_without_espeak_one_message_and_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert recipe.main(["--work", str(tmp_path)]) == 2
    assert "apt-get install espeak-ng" in capsys.readouterr().err


def answers(wrong: int) -> Evaluation:
    """100 clips of 10 voices, the last so many of them named wrongly."""
    labels = ["de"] * (100 - wrong) + ["fi"] * wrong
    return Evaluation([Prediction(str(i), "de", own, str(i % 10)) for i, own in enumerate(labels)], ["de", "fi"])


@pytest.mark.parametrize(("wrong", "verdict"), [(5, "0.50 times that of ml"), (6, "0.60 times that of ml")])
def test_the_longest_hard_length_is_asked_about(wrong: int, verdict: str, capsys: pytest.CaptureFixture[str]) -> None:
    ml = Durations({10.0: answers(4), 3.0: answers(10), 1.0: answers(30)})  # at 10 s it errs less than 5 %
    own = Durations({10.0: answers(4), 3.0: answers(wrong), 1.0: answers(29)})
    recipe.tell_pair({"ml": ml, "supervector": own}, "supervector")
    lines = capsys.readouterr().out.splitlines()
    # All clips that differ are right here and wrong there: p = 2 x 2^-5 or 2 x 2^-4.
    assert (
        f"right where ml is wrong {10 - wrong}, the other way round 0 (p = {2 * 0.5 ** (10 - wrong):.2g})" in lines[1]
    )
    assert f"5 %: 3 s; error there {verdict}" in lines[-1]
    assert ("kept" in lines[-1]) == (wrong == 5)


@pytest.mark.parametrize(
    ("least", "cost", "error", "verdicts"),
    [
        (0.10, 0.129, 0.049, ["kept", "kept"]),  # 0.03 above
        (0.10, 0.131, 0.051, ["MISSED", "MISSED"]),
        (0.40, 0.459, 0.01, ["kept", "kept"]),  # 15 % above
        (0.40, 0.461, 0.01, ["MISSED", "kept"]),
    ],
)
def test_limits_of_calibration(
    least: float, cost: float, error: float, verdicts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    figures = {"min_cllr": (least, None), "cllr": (cost, None), "calibration_error": (error, None)}
    recipe.tell_calibration({"ml": SimpleNamespace(found={3.0: SimpleNamespace(posterior_figures=figures)})})
    parts = capsys.readouterr().out.split(";")
    assert [part.rsplit(": ", 1)[1].strip() for part in parts] == verdicts


def test_false_accepts_false_rejects_and_area(capsys: pytest.CaptureFixture[str]) -> None:
    known, outside = np.array([0.5, 2.0, 3.0, 4.0]), np.array([0.0, 0.5, 1.0, 0.2])
    turns = [unknown.Turn(name, None, known - 1.0, outside - 1.0, ["a", "a", "b", "b"]) for name in ("de", "fi")]
    unknown.tell_turns({3.0: turns})
    text = capsys.readouterr().out
    # At the threshold is accepted: 1 of 4. Refused: 0.5, 1 of 4. Of 16 pairs 12 + 2 are in order, and one is a tie.
    assert text.count("25.0 %, false rejects 25.0 %, area 0.906") == 2
    row = text.splitlines()[1].split()
    assert (row[0], row[1], row[2], row[4], row[5], row[7]) == ("3", "8", "25.0", "8", "25.0", "0.906")


def test_thresholds_by_language_and_duration(capsys: pytest.CaptureFixture[str]) -> None:
    levels = (
        Level(1.0, 79, 4.5, 0.05, 0.0, 0.1, 0.4, 0.3, 0.5, 90, 90),
        Level(10.0, 979, 7.25, 0.06, 0.0, 0.1, 0.08, 0, 1, 9, 9),
    )
    unknown.tell_thresholds([unknown.Turn("de", Gate(0.05, levels), np.array([]), np.array([]), [])])
    line = capsys.readouterr().out.splitlines()[-1]
    assert " ".join(line.split()) == "de 1 s 4.50 ( 5.0, 40.0) 10 s 7.25 ( 6.0, 8.0)"


def test_no_threshold_no_figures() -> None:
    """With two labels, one held out leaves nothing to tell apart: the recipe stops and says so."""
    learned = SimpleNamespace(classifier=SimpleNamespace(gate=None), notes=("nothing is answered unknown",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "calibrated", lambda *_: learned)
        patch.setattr(gates, "fit_classes", lambda *_: None)
        with pytest.raises(DataError, match="nothing is answered unknown") as refusal:
            gates.gated([], None, None, 1)
    assert refusal.value.code == "no_gate"


def test_the_trap_needs_its_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trap.main([str(tmp_path)]) == 2
    assert "no manifest.csv" in capsys.readouterr().err


@pytest.mark.long
def test_the_trap_is_seen(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not (real_data / "lid" / "manifest.csv").is_file():
        pytest.skip("the real voices are not there")
    assert trap.main([str(real_data / "lid")]) == 0
    text = capsys.readouterr().out
    assert "THE RECORDINGS, NOT THE LABELS" in text
    gaps = [int(line.split(": ")[1].split()[0]) for line in text.splitlines() if line.startswith("folds ")]
    assert len(gaps) == 3
    # A plain trial, which the data's own description cites: 0.83 at random, 0.38 by voice, 0.10 by project.
    assert gaps[0] > 15
    assert gaps[2] > gaps[0]
