"""gmmaudio.measures.intervals against closed forms, scipy.stats, and simulated speakers."""

import subprocess
import sys

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from gmmaudio.errors import DataError
from gmmaudio.measures.intervals import interval, wilson


def clips_of(hits, sizes):
    """Clips in groups: of group g, the first hits[g] of sizes[g] are right."""
    correct = [i < right for right, size in zip(hits, sizes, strict=True) for i in range(size)]
    return correct, [f"speaker {g}" for g, size in enumerate(sizes) for _ in range(size)]


# The worked figures of Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 3.
@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_figures(right, n, low, high):
    assert wilson(right, n) == pytest.approx((low, high), abs=5e-5)


def counts(most):
    """How many right, of how many."""
    return st.integers(1, most).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=200, deadline=None)
@given(counts(5000), st.floats(0.5, 0.9999))
def test_wilson_against_scipy(count, level):
    theirs = stats.binomtest(*count).proportion_ci(level, method="wilson")
    assert wilson(*count, level) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(counts(10**7), st.floats(0.5, 0.9999))
def test_wilson_holds_the_share_and_has_a_width(count, level):
    low, high = wilson(*count, level)
    assert 0 <= low <= count[0] / count[1] <= high <= 1
    assert low < high


def test_t_interval_of_equal_groups_is_that_of_their_means():
    """With groups of one size the ratio is the mean of the groups' accuracies, and scipy knows its error."""
    hits = [19, 5, 12, 16, 9, 14]
    found = interval(*clips_of(hits, [20] * 6))
    means = np.array(hits) / 20
    low, high = stats.t.interval(0.95, df=5, loc=0, scale=stats.sem(means))
    share, slope = means.mean(), 1 / (means.mean() * (1 - means.mean()))  # d logit(p) / dp = 1 / (p (1 - p))
    expected = [1 / (1 + (1 - share) / share * np.exp(-bound * slope)) for bound in (low, high)]
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
    assert (found.method, found.clips, found.groups) == ("t over groups", 120, 6)


def test_t_interval_of_unequal_groups_worked_by_hand():
    # Groups of 10, 20 and 30 clips, 9, 10 and 11 of them right: r = 30/60 = 1/2; the residuals y - r m are
    # 4, 0 and -4; s^2 = (16 + 0 + 16) / 2 = 16; v(r) = s^2 / (3 * 20^2) = 16/1200, so that the standard error
    # is 2 / sqrt(300), and 4 times that for the logit, which is 0 at 1/2. The 0.975 quantile of t with 2
    # degrees of freedom is 4.3026527 (any table).
    reach = 4.3026527 * 8 / np.sqrt(300)
    found = interval(*clips_of([9, 10, 11], [10, 20, 30]))
    assert (found.low, found.high) == pytest.approx((1 / (1 + np.exp(reach)), 1 / (1 + np.exp(-reach))), abs=1e-7)


def expanded_tail(groups):
    """Hesterberg 2014, expanded percentiles: z_tail sqrt((n - 1) / n) = t_(0.025, n - 1)."""
    return stats.norm.cdf(stats.t.ppf(0.025, groups - 1) / np.sqrt((groups - 1) / groups))


@pytest.mark.parametrize("right", [10, 13, 16])
def test_bootstrap_of_all_or_nothing_groups_is_binomial(right):
    """20 equal groups, each wholly right or wholly wrong: a resample's accuracy is Binomial(20, p) / 20."""
    found = interval(*clips_of([5] * right + [0] * (20 - right), [5] * 20), resamples=20_000)
    tail = expanded_tail(20)
    expected = stats.binom.ppf([tail, 1 - tail], 20, right / 20) / 20
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
    assert found.method == "bootstrap over groups"


def test_bootstrap_of_unequal_groups_against_scipy():
    draw = np.random.default_rng(5)
    sizes = draw.integers(5, 60, size=40)
    hits = draw.binomial(sizes, draw.beta(4, 2, size=40))
    found = interval(*clips_of(hits, sizes), resamples=10_000)
    theirs = stats.bootstrap(
        (hits, sizes),
        lambda right, clips, axis: right.sum(axis) / clips.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=10_000,
        method="percentile",
        confidence_level=1 - 2 * expanded_tail(40),
        rng=np.random.default_rng(6),
    ).confidence_interval
    # Two bootstraps of 10,000: each bound has a standard error of about 0.001 here.
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_nineteen_groups_are_few_and_twenty_enough():
    methods = [interval(*clips_of([1] * n, [2] * n)).method for n in (2, 19, 20)]
    assert methods == ["t over groups", "t over groups", "bootstrap over groups"]


def test_without_groups_it_is_wilson_over_clips():
    correct = [True] * 30 + [False] * 10
    for groups in (None, [None] * 40, ["one speaker"] * 40):
        found = interval(correct, groups)
        assert (found.low, found.high, found.method) == (*wilson(30, 40), "Wilson over clips")
    assert [interval(correct, groups).groups for groups in (None, ["one speaker"] * 40)] == [0, 1]


@pytest.mark.parametrize(("share", "bound"), [(1, 1.0), (0, 0.0)])
@pytest.mark.parametrize("groups", [6, 25])
def test_a_perfect_score_counts_groups_not_clips(share, bound, groups):
    """At 0 and 1 Wilson's formula shrinks to z^2 / (n + z^2), with n the number of groups."""
    found = interval(*clips_of([50 * share] * groups, [50] * groups))
    z2 = stats.norm.ppf(0.975) ** 2
    assert abs((found.high - found.low) - z2 / (groups + z2)) < 1e-12
    assert bound in (found.low, found.high)
    assert found.method == "Wilson over groups"


def test_a_clip_without_a_group_is_a_group_of_its_own():
    named = interval([1, 0, 1, 1, 0, 1], ["ann", "ann", "bob", "x", "y", "z"])
    unnamed = interval([1, 0, 1, 1, 0, 1], ["ann", "ann", "bob", None, None, None])
    assert unnamed == named
    assert unnamed.groups == 5


@pytest.mark.parametrize("groups", [4, 30])
def test_groups_of_equal_accuracy_still_have_a_width(groups):
    """Each group has 1 of 2 right, so the groups do not differ at all: Wilson over the clips is the floor."""
    found = interval(*clips_of([1] * groups, [2] * groups))
    assert (found.low, found.high) == wilson(groups, 2 * groups)


grouped = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["ann", "bob", "cyd", "dee", None])), min_size=1, max_size=60
)


@settings(max_examples=200, deadline=None)
@given(grouped, st.floats(0.5, 0.9999), st.integers(0, 3))
def test_every_interval_holds_the_accuracy_has_a_width_and_stays_in_bounds(clips, level, seed):
    correct, groups = zip(*clips, strict=True)
    found = interval(correct, groups, level, seed, resamples=50)
    assert 0 <= found.low <= sum(correct) / len(correct) <= found.high <= 1
    assert found.low < found.high
    assert found.clips == len(correct)
    over_clips = wilson(sum(correct), len(correct), level)
    assert found.low <= over_clips[0]
    assert found.high >= over_clips[1]


def test_the_seed_fixes_the_bootstrap_and_the_order_of_clips_does_not_matter_to_t():
    correct, groups = clips_of([3, 7, 2, 9, 5] * 5, [10] * 25)
    assert interval(correct, groups, seed=1) == interval(correct, groups, seed=1)
    assert interval(correct, groups, seed=1) != interval(correct, groups, seed=2)
    few, names = clips_of([3, 7, 2], [10] * 3)
    backwards = interval(few[::-1], names[::-1])
    assert (backwards.low, backwards.high) == pytest.approx(
        (interval(few, names).low, interval(few, names).high), abs=1e-14
    )


def simulate(draw, groups, spread):
    """Speakers whose own accuracies vary about 0.8 (beta), each with 5 to 40 clips."""
    sizes = draw.integers(5, 41, size=groups)
    accuracies = draw.beta(0.8 * spread, 0.2 * spread, size=groups)
    return clips_of(draw.binomial(sizes, accuracies), sizes)


@pytest.mark.parametrize(("groups", "spread"), [(6, 8), (12, 8), (30, 8), (60, 3), (30, 1000)])
def test_95_percent_intervals_hold_the_truth_about_95_times_in_100(groups, spread):
    """The true accuracy of the next speaker's clips is 0.8 by construction; 300 simulated data sets."""
    draw = np.random.default_rng(groups + spread)
    found = [interval(*simulate(draw, groups, spread), resamples=300) for _ in range(300)]
    coverage = np.mean([one.low <= 0.8 <= one.high for one in found])
    assert 0.88 <= coverage <= 0.99


def test_intervals_over_clips_would_be_far_too_narrow():
    """The reason for all this: the same simulation with the speakers forgotten."""
    draw = np.random.default_rng(7)
    found = [interval(simulate(draw, 30, 3)[0]) for _ in range(300)]
    assert np.mean([one.low <= 0.8 <= one.high for one in found]) < 0.75


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (([],), "bad_shape"),
        (([[True]],), "bad_shape"),
        (([0.5],), "bad_shape"),
        (([float("nan")],), "bad_shape"),
        (([True, False], ["ann"]), "length_mismatch"),
        (([True], None, 95), "bad_level"),
        (([True], None, 0.05), "bad_level"),
        (([True], None, 0.95, 0, 0), "bad_resamples"),
    ],
)
def test_what_has_no_interval_is_refused(arguments, code):
    with pytest.raises(DataError) as caught:
        interval(*arguments)
    assert caught.value.code == code


@pytest.mark.parametrize(("right", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(right, n):
    with pytest.raises(DataError) as caught:
        wilson(right, n)
    assert caught.value.code == "bad_count"


def test_scipy_stats_is_not_imported():
    code = "import sys, gmmaudio.measures.intervals; print('scipy.stats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
