"""The anomaly recipe: its small form, its invented machines, the folders that it reads, and its refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.metrics import roc_auc_score

from tests.recipe import RECIPES, SMALL, load

RECIPE = RECIPES / "anomaly"


run = load("anomaly")
machines, sections = sys.modules["machines"], sys.modules["sections"]


@pytest.mark.long
def test_small_form_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    assert run.main(["--small", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert SMALL in printed
    row = next(line.split() for line in printed.splitlines() if line.startswith("harmonic mean"))
    auc, _, energy = map(float, row[2:])
    assert auc >= 0.9
    assert energy < 0.75
    assert float(printed.partition("scikit-learn's areas: ")[2].split()[0]) < 1e-12
    assert (out / "anomaly.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert (RECIPE / "anomaly.png").stat().st_size < 200_000


def test_results_show_figures_that_pass() -> None:
    page = (RECIPE / "RESULTS.md").read_text("utf-8")
    assert "(anomaly.png)" in page
    row = next(line.split() for line in page.splitlines() if line.strip().startswith("harmonic mean"))
    assert float(row[2]) >= 0.9
    assert float(row[4]) < 0.75


@pytest.mark.parametrize("kind", machines.KINDS)
def test_faults_do_not_change_the_energy(kind: str) -> None:
    # By construction: the levels of both are drawn alike. 60 of each: the standard error of an area by chance is
    # sqrt(121 / (12 * 60 * 60)) = 0.053.
    machine, levels = machines.MACHINES[0], {True: [], False: []}
    for seed in range(60):
        for odd in levels:
            generator = np.random.default_rng([seed, odd])
            session = machines.new_session(generator)
            make = machines.anomalous_clip if odd else machines.normal_clip
            clip = make(machine, session, *([kind] if odd else []), 0.2, generator)
            levels[odd].append(np.log(np.mean(clip**2)))
    area = roc_auc_score([0] * 60 + [1] * 60, levels[False] + levels[True])
    assert area == pytest.approx(0.5, abs=4 * 0.053)


def test_the_shaft_and_the_gear_are_where_they_should_be() -> None:
    machine = machines.MACHINES[0]
    session = machines.Session(0.0, -4.0, -30.0, -20.0)

    def strongest(clip: np.ndarray, low: float, high: float) -> float:
        spectrum = np.abs(np.fft.rfft(clip * np.hanning(len(clip))))
        frequencies = np.fft.rfftfreq(len(clip), 1 / machines.RATE)
        inside = (frequencies > low) & (frequencies < high)
        return float(frequencies[inside][spectrum[inside].argmax()])

    gear = machine.gear * machine.shaft
    well = machines.normal_clip(machine, session, 2.0, np.random.default_rng(0))
    ill = machines.anomalous_clip(machine, session, "shifted line", 2.0, np.random.default_rng(0))
    # The speed strays by some tenths of a per cent; the fault lowers the line by 4 to 11 %.
    assert strongest(well, 20, 300) == pytest.approx(machine.blades * machine.shaft, rel=0.02)
    assert strongest(well, 0.85 * gear, 1.1 * gear) == pytest.approx(gear, rel=0.02)
    assert 0.87 < strongest(ill, 0.85 * gear, 1.1 * gear) / gear < 0.98


def write(path: Path, odd: bool, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng([seed, odd])
    whistle = 0.2 * np.sin(2 * np.pi * 2000 * np.arange(4000) / 16000)
    soundfile.write(path, 0.05 * generator.normal(size=4000) + odd * whistle, 16000)


def plain(top: Path) -> None:
    for i in range(36):
        write(top / "normal" / f"{i:02}.wav", False, i)
    for i in range(6):
        write(top / "abnormal" / f"{i:02}.wav", True, i)


def dcase_2020(top: Path) -> None:
    for machine in ("id_00", "id_02"):
        for i in range(20):
            write(top / "fan" / "train" / f"normal_{machine}_{i:08}.wav", False, i)
        for i in range(4):
            write(top / "fan" / "test" / f"normal_{machine}_{i:08}.wav", False, 100 + i)
            write(top / "fan" / "test" / f"anomaly_{machine}_{i:08}.wav", True, i)


def dcase_2021(top: Path) -> None:
    for i in range(20):
        write(top / "train" / f"section_00_source_train_normal_{i:04}_strength_1.wav", False, i)
    for i in range(4):
        domain = "source_test" if i % 2 else "target_test"
        write(top / domain / f"section_00_{domain}_normal_{i:04}.wav", False, 100 + i)
        write(top / domain / f"section_00_{domain}_anomaly_{i:04}.wav", True, i)


@pytest.mark.parametrize(
    ("layout", "names", "learnt"),
    [(plain, ["top"], 24), (dcase_2020, ["fan id_00", "fan id_02"], 20), (dcase_2021, ["top section_00"], 20)],
)
def test_folders_of_the_users(
    layout: object, names: list[str], learnt: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout(tmp_path / "top")  # type: ignore[operator]
    found = sections.in_folder(tmp_path / "top")
    assert [section.name for section in found] == names
    for section in found:
        assert len(section.train) == learnt
        assert all(("normal" in Path(clip).as_posix()) for clip in section.train)
        odd = ["anomaly" in Path(clip).name or "abnormal" in Path(clip).parts for clip in section.test]
        assert odd == [kind == "anomaly" for kind in section.kinds]
    if layout is plain:
        assert run.main([str(tmp_path / "top"), "--out", str(tmp_path)]) == 0
        row = next(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("top"))
        assert row[1:4] == ["12", "6", "1.000"]
        assert (tmp_path / "anomaly.png").exists()


def test_folders_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(3):
        write(tmp_path / "few" / "normal" / f"{i}.wav", False, i)
    write(tmp_path / "few" / "anomaly" / "0.wav", True, 0)
    write(tmp_path / "sound" / "normal" / "0.wav", False, 0)
    (tmp_path / "empty").mkdir()
    codes = {"nowhere": "no_such_data", "empty": "bad_layout", "sound": "bad_layout", "few": "too_few_clips"}
    for name, code in codes.items():
        assert run.main([str(tmp_path / name), "--out", str(tmp_path)]) == 2
        told = capsys.readouterr().err
        assert f"[{code}]" in told
        assert "hint:" in told
    assert not (tmp_path / "anomaly.png").exists()
