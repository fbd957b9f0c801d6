"""The genre recipe, on the synthetic corpus: both ways to fold, with intervals over groups, and the best tags."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.recipe import load


def test_both_kinds_of_folds_with_intervals_and_tags(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = load("genre")
    assert recipe.main([str(corpus.parent), "--seeds", "1", "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "64 clips, 4 classes, 16 artists; chance 0.25"
    figures = [
        re.search(r"mean of 1 seeds (\S+).*interval of seed 0: (\S+) to (\S+) \((.*), 16 artists\)", line)
        for line in lines
    ]
    found = [tuple(map(float, figure.groups()[:3])) for figure in figures if figure]
    assert len(found) == 4
    assert all(low <= accuracy <= high for accuracy, low, high in found)
    random, random_top, disjoint, disjoint_top = (accuracy for accuracy, _, _ in found)
    assert random_top >= random
    assert disjoint_top >= disjoint
    tagged = [line.split() for line in lines[-4:]]
    assert [row[0] for row in tagged] == ["arvi", "belun", "domar", "kesto"]
    assert all(len(row) == 7 and float(row[2]) >= float(row[4]) >= float(row[6]) for row in tagged)
