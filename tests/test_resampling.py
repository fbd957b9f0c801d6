"""gmmaudio.measures.resampling against scipy.stats, closed forms, and simulated speakers."""

from math import inf, nan

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from gmmaudio.errors import DataError
from gmmaudio.measures.intervals import interval, wilson
from gmmaudio.measures.language import average_cost
from gmmaudio.measures.multiclass import detection_llrs, multiclass_cllr
from gmmaudio.measures.resampling import figure_interval


def mean_of(values):
    values = np.asarray(values, dtype=float)
    return lambda chosen: float(values[chosen].mean())


def median_of(values):
    values = np.asarray(values, dtype=float)
    return lambda chosen: float(np.median(values[chosen]))


def speakers(count, clips_each):
    return [f"speaker {g}" for g in range(count) for _ in range(clips_each)]


def test_t_interval_of_a_mean_over_clips_is_the_textbooks():
    values = [0.3, 1.9, 0.2, 4.0, 0.7, 1.1, 0.4]
    found = figure_interval(mean_of(values), 7, bounds=(-inf, inf))
    expected = stats.t.interval(0.95, df=6, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    assert (found.method, found.clips, found.groups) == ("t over clips", 7, 0)


def test_t_interval_of_equal_groups_is_that_of_their_means():
    values = np.random.default_rng(1).exponential(size=(6, 10)) + np.arange(6)[:, None]
    found = figure_interval(mean_of(values.ravel()), 60, speakers(6, 10), (-inf, inf), level=0.9)
    expected = stats.t.interval(0.9, df=5, loc=values.mean(), scale=stats.sem(values.mean(axis=1)))
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    assert (found.method, found.clips, found.groups) == ("t over groups", 60, 6)


def test_jackknife_worked_by_hand():
    # A figure that is no mean: the largest of 1, 2, 4. Left out in turn: 4, 4, 2, mean 10/3, squares about it
    # 4/9 + 4/9 + 16/9 = 24/9; the standard error is sqrt(2/3 * 24/9) = 4/3. The 0.975 quantile of t with 2
    # degrees of freedom is 4.3026527 (any table).
    values = np.array([1.0, 2.0, 4.0])
    found = figure_interval(lambda chosen: values[chosen].max(), 3, bounds=(-inf, inf))
    assert (found.low, found.high) == pytest.approx((4 - 4.3026527 * 4 / 3, 4 + 4.3026527 * 4 / 3), abs=1e-6)


@pytest.mark.parametrize("figure", [mean_of, median_of])
def test_bootstrap_against_scipy(figure):
    values = np.random.default_rng(2).exponential(size=40)
    found = figure_interval(figure(values), 40, bounds=(0, inf), resamples=10_000)
    tail = stats.norm.cdf(stats.t.ppf(0.025, 39) / np.sqrt(39 / 40))  # Hesterberg 2014, expanded percentiles
    theirs = stats.bootstrap(
        (values,),
        {mean_of: np.mean, median_of: np.median}[figure],
        n_resamples=10_000,
        method="percentile",
        confidence_level=1 - 2 * tail,
        rng=np.random.default_rng(3),
    ).confidence_interval
    # Two bootstraps of 10,000: each bound has a standard error of about 0.01.
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.04)
    assert found.method == "bootstrap over clips"


def test_bootstrap_resamples_whole_groups():
    """Equal groups of equal clips: resampling the groups is resampling one value each, to the bit of the seed."""
    values = np.random.default_rng(4).normal(size=25)
    whole = figure_interval(mean_of(np.repeat(values, 4)), 100, speakers(25, 4), (-inf, inf))
    single = figure_interval(mean_of(values), 25, None, (-inf, inf))
    assert (whole.low, whole.high) == pytest.approx((single.low, single.high), abs=1e-12)
    assert (whole.method, whole.groups) == ("bootstrap over groups", 25)


def test_groups_need_not_stand_together():
    values, groups = np.arange(12.0) ** 2, ["ann", "bob", "eve"] * 4
    order = np.argsort(groups, kind="stable")
    found = figure_interval(mean_of(values), 12, groups, (-inf, inf))
    sorted_ = figure_interval(mean_of(values[order]), 12, sorted(groups), (-inf, inf))
    assert (found.low, found.high) == pytest.approx((sorted_.low, sorted_.high), abs=1e-12)


def test_nineteen_units_are_few_and_twenty_enough():
    for groups, over in ((None, "clips"), ("each", "groups")):
        methods = [
            figure_interval(mean_of(range(n)), n, groups and speakers(n, 1), (0, inf)).method for n in (2, 19, 20)
        ]
        assert methods == [f"t over {over}", f"t over {over}", f"bootstrap over {over}"]


def test_groups_unknown_or_only_one_leave_the_clips():
    values = np.arange(8.0)
    none, one = (figure_interval(mean_of(values), 8, groups, (0, inf)) for groups in (None, ["x"] * 8))
    assert (none.low, none.high, none.method) == (one.low, one.high, "t over clips")
    assert (none.groups, one.groups) == (0, 1)
    own = figure_interval(mean_of(values), 8, ["x", "x", *[None] * 6], (0, inf))
    assert (own.method, own.groups) == ("t over groups", 7)


@pytest.mark.parametrize("count", [1, 5, 30])
@pytest.mark.parametrize("share", [0, 1])
def test_at_a_bound_it_is_wilsons(count, share):
    found = figure_interval(mean_of([share] * 3 * count), 3 * count, speakers(count, 3) if count > 1 else None)
    units = count if count > 1 else 3
    assert (found.low, found.high) == pytest.approx(wilson(units * share, units), abs=1e-12)
    assert found.method == f"Wilson over {'groups' if count > 1 else 'clips'}"


def test_no_spread_within_the_bounds_worked_by_hand():
    # Five clips with a difference of 0, from -1 to 1: w = z^2 / (5 + z^2) of the clips might be anywhere.
    z2 = stats.norm.ppf(0.975) ** 2
    found = figure_interval(mean_of([0] * 5), 5, bounds=(-1, 1))
    assert (found.low, found.high) == pytest.approx((-z2 / (5 + z2), z2 / (5 + z2)), abs=1e-12)
    # Without an upper bound nothing is known about it; a figure of 2 could shrink to 2 (1 - w).
    found = figure_interval(mean_of([2] * 5), 5, bounds=(0, inf))
    assert found.low == pytest.approx(2 * 5 / (5 + z2), abs=1e-12)
    assert found.high == inf
    assert figure_interval(mean_of([2] * 5), 5, bounds=(-inf, 3)).low == -inf


values = st.lists(
    st.tuples(st.integers(0, 4).map(lambda n: n / 4), st.sampled_from(["ann", "bob", "cyd", None])), min_size=1
)


@settings(max_examples=150, deadline=None)
@given(values, st.floats(0.5, 0.9999), st.integers(0, 3))
def test_every_interval_holds_the_figure_has_a_width_and_stays_in_bounds(clips, level, seed):
    numbers, groups = zip(*clips, strict=True)
    found = figure_interval(mean_of(numbers), len(clips), groups, level=level, seed=seed, resamples=30)
    assert 0 <= found.low <= np.mean(numbers) <= found.high <= 1
    assert found.low < found.high


def test_the_seed_fixes_the_bootstrap():
    figure = mean_of(np.random.default_rng(0).normal(size=30))
    same, again, other = (figure_interval(figure, 30, None, (-inf, inf), seed=seed) for seed in (1, 1, 2))
    assert same == again
    assert same != other


def simulated(draw, groups, clips=6):
    """Speakers of three languages, each with an ease of their own: log-likelihoods of their clips."""
    truth = np.repeat(np.arange(groups) % 3, clips)
    ease = np.repeat(draw.normal(1.2, 0.8, size=groups), clips)
    return truth, ease[:, None] * np.eye(3)[truth] + draw.normal(size=(groups * clips, 3))


@pytest.mark.parametrize("groups", [12, pytest.param(45, marks=pytest.mark.long)])
def test_cavg_and_cllr_get_intervals_that_hold_the_truth_about_95_times_in_100(groups):
    """The truth comes from a simulation of 30,000 speakers."""
    draw = np.random.default_rng(groups)

    def figures(truth, scores):
        accepted = detection_llrs(scores) >= 0
        return (
            (lambda chosen: average_cost(truth[chosen], accepted[chosen]).average, (0, 1)),
            (lambda chosen: multiclass_cllr(truth[chosen], scores[chosen]), (0, inf)),
        )

    truth, scores = simulated(draw, 30_000)
    real = [figure(np.arange(len(truth))) for figure, _ in figures(truth, scores)]
    held = []
    for _ in range(100):
        truth, scores = simulated(draw, groups)
        found = [
            figure_interval(figure, len(truth), speakers(groups, 6), bounds, resamples=100)
            for figure, bounds in figures(truth, scores)
        ]
        held.append([one.low <= value <= one.high for one, value in zip(found, real, strict=True)])
    assert (np.mean(held, axis=0) >= 0.87).all()


def test_for_an_accuracy_it_agrees_with_the_interval_made_for_it():
    draw = np.random.default_rng(9)
    correct = (draw.uniform(size=300) < np.repeat(draw.beta(4, 2, size=30), 10)).astype(int)
    mine = figure_interval(mean_of(correct), 300, speakers(30, 10), seed=5)
    special = interval(correct, speakers(30, 10), seed=5)
    assert (mine.low, mine.high) == pytest.approx((special.low, special.high), abs=1e-12)


def test_resamples_that_lack_a_class_are_drawn_again():
    truth = np.array([0] * 24 + [1])

    def share(chosen):
        if len(set(truth[chosen].tolist())) < 2:
            raise DataError("one_class", "one class")
        return float(truth[chosen].mean())

    found = figure_interval(share, 25, resamples=200)
    assert found.low >= 1 / 25  # never 0, which would need a resample without class 1
    with pytest.raises(DataError) as caught:
        figure_interval(share, 24)  # of one class as a whole
    assert caught.value.code == "one_class"


def test_a_figure_that_most_resamples_lack_is_refused():
    def only_as_it_is(chosen):
        if sorted(chosen.tolist()) != list(range(30)):
            raise DataError("one_class", "one class")
        return 0.5

    with pytest.raises(DataError) as caught:
        figure_interval(only_as_it_is, 30, resamples=20)
    assert caught.value.code == "one_class"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((mean_of([1]), 0), "bad_count"),
        ((mean_of([1, 0]), 2, ["ann"]), "length_mismatch"),
        ((mean_of([1, 0]), 2, None, (0, 1), 95), "bad_level"),
        ((mean_of([1, 0]), 2, None, (0, 1), 0.95, 0, 0), "bad_resamples"),
        ((mean_of([inf, 0]), 2, None, (0, inf)), "no_interval"),
        ((mean_of([nan, 0]), 2), "no_interval"),
    ],
)
def test_what_has_no_interval_is_refused(arguments, code):
    with pytest.raises(DataError) as caught:
        figure_interval(*arguments)
    assert caught.value.code == code


@pytest.mark.parametrize("groups", [8, 30])
def test_a_spread_of_rounding_errors_is_none(groups):
    """A third, whoever is left out or drawn, but for its last digits, as of a sum in another order."""
    found = figure_interval(lambda chosen: 1 / 3 + 1e-15 * chosen.mean(), groups, [str(i) for i in range(groups)])
    assert found.method == "Wilson over groups"
    share = 1.959963984540054**2 / (groups + 1.959963984540054**2)  # of Wilson's interval for 0 of so many
    assert found.low == pytest.approx(1 / 3 - share / 3)
    assert found.high == pytest.approx(1 / 3 + share * 2 / 3)
