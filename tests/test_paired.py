"""gmmaudio.measures.paired against scipy.stats, exact fractions, simulations, and by hand."""

from fractions import Fraction
from math import comb

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from gmmaudio.errors import DataError
from gmmaudio.measures.paired import compare, mcnemar


def decisions(both, first_only, second_only, neither):
    first = [1] * (both + first_only) + [0] * (second_only + neither)
    return first, [1] * both + [0] * first_only + [1] * second_only + [0] * neither


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (6, 0, 2 / 2**6),
        (0, 6, 2 / 2**6),
        (5, 0, 2 / 2**5),
        (5, 1, 2 * (1 + 6) / 2**6),
        (3, 3, 1),
        (1, 0, 1),
        (0, 0, 1),
    ],
)
def test_mcnemar_worked_by_hand(first, second, p):
    assert mcnemar(first, second) == pytest.approx(p, abs=1e-15)


def test_mcnemar_by_exact_fractions():
    exact = Fraction(2 * sum(comb(54, k) for k in range(25)), 2**54)
    assert mcnemar(30, 24) == pytest.approx(float(exact), abs=1e-12)
    assert round(mcnemar(30, 24), 2) == 0.50
    assert round(mcnemar(6, 0), 2) == 0.03


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_against_scipy(first, second):
    if first + second:
        assert mcnemar(first, second) == pytest.approx(
            stats.binomtest(first, first + second).pvalue, rel=1e-9, abs=1e-300
        )
    assert mcnemar(first, second) == mcnemar(second, first)
    assert 0 < mcnemar(first, second) <= 1


def test_the_counts_worked_by_hand():
    found = compare([1, 1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 1, 0, 0])
    assert (found.both, found.first_only, found.second_only, found.neither) == (2, 2, 1, 2)
    assert found.accuracies == (4 / 7, 3 / 7)
    assert found.difference == 1 / 7
    assert (found.clips, found.p) == (7, 1)


def test_first_and_second_cannot_be_swapped_unseen():
    one, two = decisions(50, 12, 2, 10)
    found, turned = compare(one, two), compare(two, one)
    assert found.difference == -turned.difference == 10 / 74
    assert (found.first_only, turned.first_only) == (12, 2)
    assert (found.p, found.distinguishable) == (turned.p, turned.distinguishable)
    assert found.interval.low > 0 > turned.interval.high
    assert found.verdict("A", "B").startswith("A is better than B: a difference of 13.5 points is more than chance")
    assert turned.verdict("A", "B").startswith("B is better than A: a difference of 13.5 points")


def test_thirty_against_twenty_four_cannot_be_told_and_six_against_none_can():
    close = compare(*decisions(200, 30, 24, 46))
    assert not close.distinguishable
    assert close.verdict("A", "B") == (
        "A and B cannot be told apart: a difference of 2.0 points may be chance (p = 0.5)"
    )
    clear = compare(*decisions(200, 6, 0, 84))
    assert clear.distinguishable
    assert "(p = 0.031)" in clear.verdict()


def test_two_points_of_290_are_not_distinguishable():
    """A published table's typical step: 6 clips of 290 more, among 40 on which the systems differ."""
    found = compare(*decisions(150, 23, 17, 100))
    assert found.difference == pytest.approx(6 / 290)
    assert not found.distinguishable


def test_groups_make_it_harder():
    """All that A gains, it gains on one speaker of 25: that says nothing about the next speaker."""
    first = [1] * 12 + [1] * 288
    second = [0] * 12 + [1] * 288
    groups = [f"speaker {i // 12}" for i in range(300)]
    grouped, alone = compare(first, second, groups), compare(first, second)
    assert grouped.p == alone.p == pytest.approx(2 / 2**12)
    assert alone.distinguishable
    assert not grouped.distinguishable
    assert "but the interval (bootstrap over groups) holds 0" in grouped.verdict()


def test_interval_of_the_difference_over_few_groups_is_the_paired_t():
    """Equal groups: scipy's paired t interval of the groups' accuracies."""
    draw = np.random.default_rng(2)
    first, second = (draw.uniform(size=(8, 25)) < share for share in (0.8, 0.6))
    groups = [f"g{g}" for g in range(8) for _ in range(25)]
    found = compare(first.ravel(), second.ravel(), groups).interval
    theirs = stats.ttest_rel(first.mean(axis=1), second.mean(axis=1)).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert found.method == "t over groups"


def test_bootstrap_of_the_difference_against_scipy():
    one, two = decisions(100, 40, 20, 40)
    found = compare(one, two, resamples=10_000).interval
    tail = stats.norm.cdf(stats.t.ppf(0.025, 199) / np.sqrt(199 / 200))
    theirs = stats.bootstrap(
        (np.array(one), np.array(two)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=10_000,
        method="percentile",
        confidence_level=1 - 2 * tail,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.0051)  # one clip of 200


def test_the_same_decisions_cannot_be_told_apart():
    found = compare([1, 0, 1] * 10, [1, 0, 1] * 10)
    assert found.interval.low < 0 < found.interval.high
    assert (found.p, found.distinguishable) == (1, False)
    assert found.verdict("A", "B") == "A and B cannot be told apart: they are right on the same clips"


def test_equal_systems_are_told_apart_about_once_in_twenty_at_most():
    draw = np.random.default_rng(6)
    told = [
        compare(draw.uniform(size=150) < 0.7, draw.uniform(size=150) < 0.7, resamples=100).distinguishable
        for _ in range(200)
    ]
    assert np.mean(told) < 0.09


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abc")), min_size=1, max_size=40))
def test_laws(rows):
    first, second, groups = zip(*rows, strict=True)
    found = compare(first, second, groups, resamples=30)
    assert found.clips == len(rows)
    assert found.difference == pytest.approx(np.mean(first) - np.mean(second), abs=1e-12)
    assert found.accuracies == pytest.approx((np.mean(first), np.mean(second)), abs=1e-12)
    assert -1 <= found.interval.low <= found.difference <= found.interval.high <= 1
    assert found.interval.low < found.interval.high


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (([], []), "bad_shape"),
        (([0.5], [1]), "bad_shape"),
        (([1], [[1]]), "bad_shape"),
        (([1], [1, 0]), "length_mismatch"),
        (([1, 0], [1, 0], ["ann"]), "length_mismatch"),
        (([1], [1], None, 0, 0), "bad_resamples"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, code):
    with pytest.raises(DataError) as caught:
        compare(*arguments)
    assert caught.value.code == code


@pytest.mark.parametrize("counts", [(-1, 3), (3, -1)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(DataError) as caught:
        mcnemar(*counts)
    assert caught.value.code == "bad_count"
