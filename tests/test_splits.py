"""Folds never divide a group, and every training side knows every label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmaudio.classify.background import Background
from gmmaudio.classify.train import Training
from gmmaudio.corpus.manifest import Entry, read_corpus
from gmmaudio.corpus.selection import column_folds, straddling_groups
from gmmaudio.corpus.splits import group_folds
from gmmaudio.errors import DataError
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.mfcc import Mfcc

LABELS = [label for label in "abc" for _ in range(20)]
GROUPS = [f"{label}{number // 4}" for label in "abc" for number in range(20)]  # five groups of four per label


def test_groups_stay_together_and_labels_are_spread() -> None:
    folds = group_folds(LABELS, GROUPS, 5, seed=1)
    assert straddling_groups(GROUPS, folds.tolist()) == {}
    # Five groups of one size per label, five folds: one group of each label in each.
    for fold in range(5):
        assert sorted(np.array(LABELS)[folds == fold].tolist()) == sorted("abc" * 4)


def test_without_groups_each_clip_is_its_own() -> None:
    folds = group_folds(LABELS, [None] * 60, 4, seed=0)
    assert [int(((folds == fold) & (np.array(LABELS) == label)).sum()) for fold in range(4) for label in "abc"] == [
        5
    ] * 12


def test_a_missing_group_is_a_group_of_its_own() -> None:
    folds = group_folds(LABELS, [*GROUPS[:40], *[None] * 20], 5, seed=0)
    # The twenty clips of c are free, and so spread evenly: four to a fold.
    assert np.bincount(folds[40:]).tolist() == [4] * 5


def test_the_seed_decides() -> None:
    first, second, third = (group_folds(LABELS, [None] * 60, 3, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.sampled_from("uvwxyz")), min_size=2, max_size=30),
    st.integers(2, 4),
    st.integers(0, 5),
)
def test_laws_of_folds(rows: list[tuple[str, str | None]], n_folds: int, seed: int) -> None:
    labels, groups = [label for label, _ in rows], [group for _, group in rows]
    try:
        folds = group_folds(labels, groups, n_folds, seed)
    except DataError as error:
        assert error.code in {"too_few_groups", "one_group_class"}
        return
    assert set(folds.tolist()) <= set(range(n_folds))
    assert straddling_groups(groups, folds.tolist()) == {}
    for fold in set(folds.tolist()):
        assert {label for label, each in zip(labels, folds, strict=True) if each != fold} == set(labels)


@pytest.mark.parametrize(
    ("labels", "groups", "n_folds", "code", "message"),
    [
        (["a", "b"], [None, None], 1, "bad_folds", "1 folds; at least 2"),
        (["a", "b"], [None], 2, "bad_folds", "2 labels and 1 groups"),
        ([], [], 2, "too_few_groups", "0 clips in 0 groups"),
        (["a", "a", "b", "b"], ["x", "y", "x", "y"], 3, "too_few_groups", "4 clips in 2 groups cannot make 3 folds"),
        (["a", "b", "c"], [None] * 3, 2, "too_few_groups", "no label has as many as 2 clips"),
        (["a", "a", "a", "b", "b"], ["x", "y", "z", "w", "w"], 2, "one_group_class", "'b' fall .* they are one group"),
        (["a", "a", "a", "b"], [None] * 4, 2, "one_group_class", "'b' fall"),
    ],
)
def test_folds_that_cannot_be_made(
    labels: list[str], groups: list[str | None], n_folds: int, code: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        group_folds(labels, groups, n_folds, seed=0)
    assert caught.value.code == code


@pytest.mark.parametrize("seed", [-1, 2**32, 10**20])
def test_seeds_that_cannot_be_used_are_named(seed: int) -> None:
    for make in (
        lambda: group_folds(["a", "a", "b", "b"], ["x", "y", "x", "y"], 2, seed),
        lambda: Training(FrontEnd(Mfcc()), seed=seed),
        lambda: Background(seed=seed),
    ):
        with pytest.raises(DataError, match=f"seed {seed}; from 0 to 4294967295") as caught:
            make()
        assert caught.value.code == "bad_setting"
    assert set(group_folds(["a", "a", "b", "b"], ["x", "y", "x", "y"], 2, 2**32 - 1)) == {0, 1}


def entry(**values: str) -> Entry:
    return Entry(Path("x.wav"), "dog", group=values.get("group"), columns=values)


def test_folds_by_column() -> None:
    entries = [entry(group="g", speaker="rex"), entry(group="h", speaker="tom")]
    assert column_folds(entries, "speaker") == ["rex", "tom"]
    assert column_folds(entries, "group") == ["g", "h"]
    assert column_folds(entries, "label") == ["dog", "dog"]


def test_a_column_that_is_not_there_names_the_nearest() -> None:
    entries = [entry(group="g", speaker="rex", room="")]
    with pytest.raises(DataError, match="no column 'speker'; they have: label, group, speaker") as caught:
        column_folds(entries, "speker")
    assert (caught.value.code, caught.value.hint) == ("no_such_column", "did you mean 'speaker'?")
    with pytest.raises(DataError) as caught:
        column_folds(entries, "zzz")
    assert caught.value.hint == "name one of: label, group, speaker"


def test_a_column_with_gaps_is_refused() -> None:
    with pytest.raises(DataError, match="empty for 1 of 2 clips, as for 'x.wav'") as caught:
        column_folds([entry(speaker="rex"), entry(speaker="")], "speaker")
    assert caught.value.code == "empty_cells"


def test_straddling_groups_counts_all_their_clips() -> None:
    groups = ["x", "y", "x", None, "x", "z", None]
    assert straddling_groups(groups, [0, 0, 0, 0, 1, 1, 1]) == {"x": 3}
    assert straddling_groups(groups, [0] * 7) == {}


def test_folds_of_the_real_corpora(real_data: Path) -> None:
    entries = read_corpus(real_data / "esc10" / "manifest.csv")
    official = column_folds(entries, "fold")
    assert sorted(set(official)) == list("12345")
    assert straddling_groups([e.group for e in entries], official) == {}  # as its README promises
    folds = group_folds([e.label for e in entries], [e.group for e in entries], 5, seed=0)
    assert straddling_groups([e.group for e in entries], folds.tolist()) == {}
    for label in {e.label for e in entries}:
        counts = np.bincount(folds[[e.label == label for e in entries]], minlength=5)
        assert counts.min() >= 4  # forty clips of each label: eight to a fold if no group were larger than one
