"""gmmaudio.measures.detection and .pooling against brute force, scikit-learn and scipy, and by hand."""

from math import inf

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats
from sklearn import metrics as sklearn_metrics
from sklearn.isotonic import isotonic_regression

from gmmaudio.errors import DataError
from gmmaudio.measures.detection import area_under_curve, equal_error_rate, error_rates, partial_area, probit
from gmmaudio.measures.pooling import pool_adjacent_violators

# Few different values, so that ties abound; ints as floats, so that maps of them stay exact.
scores = st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=25)
weighted = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 9)), min_size=1, max_size=30)


def rates_by_counting(targets, others):
    """(miss, false alarm) at each threshold, one comparison at a time."""
    return [
        (sum(s < cut for s in targets) / len(targets), sum(s >= cut for s in others) / len(others))
        for cut in [*sorted({*targets, *others}), inf]
    ]


def eer_by_priors(targets, others):
    """The largest error left to the best threshold, over all priors: the same number by another road.

    The least error is a concave, piecewise linear function of the prior, so that its maximum is where the
    lines of two thresholds cross, or at an end.
    """
    points = rates_by_counting(targets, others)
    priors = {0.0, 1.0}
    for miss, alarm in points:
        for other_miss, other_alarm in points:
            slope = (miss - alarm) - (other_miss - other_alarm)
            if slope and 0 <= (other_alarm - alarm) / slope <= 1:
                priors.add((other_alarm - alarm) / slope)
    return max(min(p * miss + (1 - p) * alarm for miss, alarm in points) for p in priors)


def test_rates_worked_by_hand():
    # Targets 2 3 4 and non-targets 0 1 2 3: from threshold 3 on, say, target 2 is missed and non-target 3 passes.
    found = error_rates([4, 2, 3], [3, 0, 2, 1])
    assert found.thresholds.tolist() == [0, 1, 2, 3, 4, inf]
    assert found.miss.tolist() == [0, 0, 0, 1 / 3, 2 / 3, 1]
    assert found.false_alarm.tolist() == [1, 3 / 4, 2 / 4, 1 / 4, 0, 0]
    assert [curve.tolist() for curve in found.roc] == [
        [0, 0, 1 / 4, 2 / 4, 3 / 4, 1],
        [0, 1 - 2 / 3, 1 - 1 / 3, 1, 1, 1],
    ]


def test_equal_error_rate_worked_by_hand():
    # The hull runs from (false alarm 1/2, miss 0) through (1/4, 1/3) to (0, 2/3), one line: miss = (1/2 - fa) 4/3,
    # which meets miss = fa at 2/7.
    assert equal_error_rate([2, 3, 4], [0, 1, 2, 3]) == pytest.approx(2 / 7, abs=1e-15)


def test_area_worked_by_hand():
    # Of 12 pairs, targets 2 3 4 win 2 + 3 + 4 and tie 1 + 1 + 0: (9 + 1) / 12.
    assert area_under_curve([2, 3, 4], [0, 1, 2, 3]) == pytest.approx(10 / 12, abs=1e-15)


@pytest.mark.parametrize(
    ("targets", "others", "eer", "area"),
    [
        ([1.0], [0.0], 0.0, 1.0),
        ([0.0], [1.0], 0.5, 0.0),  # worse than chance: the hull falls back on the coin
        ([1.0, 1.0], [1.0], 0.5, 0.5),  # everything tied
        ([inf, 1.0], [-inf, 0.0], 0.0, 1.0),
        ([inf], [inf, -inf], 1 / 3, 0.75),  # at the tie: miss m, and half of 1 - m passes: m = (1 - m) / 2
    ],
)
def test_edges(targets, others, eer, area):
    assert equal_error_rate(targets, others) == pytest.approx(eer, abs=1e-15)
    assert area_under_curve(targets, others) == area


def test_targets_and_others_cannot_be_swapped_unseen():
    assert area_under_curve([2, 3], [0, 2]) == 0.875
    assert area_under_curve([0, 2], [2, 3]) == 0.125
    assert equal_error_rate([2, 3], [0, 1]) == 0
    assert equal_error_rate([0, 1], [2, 3]) == 0.5
    assert error_rates([1], [2, 3]).miss.tolist() == [0, 1, 1, 1]


@settings(max_examples=200, deadline=None)
@given(scores, scores)
def test_rates_by_counting(targets, others):
    found = error_rates(targets, others)
    assert list(zip(found.miss, found.false_alarm, strict=True)) == rates_by_counting(targets, others)


@settings(max_examples=200, deadline=None)
@given(scores, scores)
def test_equal_error_rate_by_priors(targets, others):
    assert equal_error_rate(targets, others) == pytest.approx(eer_by_priors(targets, others), abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(scores, scores)
def test_area_and_curve_against_scikit_learn_and_scipy(targets, others):
    truth = [1] * len(targets) + [0] * len(others)
    area = area_under_curve(targets, others)
    assert area == pytest.approx(sklearn_metrics.roc_auc_score(truth, targets + others), abs=1e-12)
    u = stats.mannwhitneyu(targets, others, method="asymptotic").statistic if len({*targets, *others}) > 1 else None
    assert u is None or area == pytest.approx(u / (len(targets) * len(others)), abs=1e-12)
    alarms, hits, _ = sklearn_metrics.roc_curve(truth, targets + others, drop_intermediate=False)
    curve = error_rates(targets, others).roc
    np.testing.assert_allclose(curve, [alarms, hits], atol=1e-12)
    assert np.trapezoid(curve[1], curve[0]) == pytest.approx(area, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(scores, scores)
def test_only_the_order_of_scores_counts(targets, others):
    def mapped(values):
        return [np.exp(value) * 3 - 7 for value in values]

    assert equal_error_rate(mapped(targets), mapped(others)) == equal_error_rate(targets, others)
    assert area_under_curve(mapped(targets), mapped(others)) == area_under_curve(targets, others)


@settings(max_examples=100, deadline=None)
@given(scores, scores)
def test_turning_the_scores_round_swaps_the_sides(targets, others):
    turned = [-s for s in others], [-s for s in targets]
    assert equal_error_rate(*turned) == pytest.approx(equal_error_rate(targets, others), abs=1e-12)
    assert area_under_curve(*turned) == area_under_curve(targets, others)
    assert 0 <= equal_error_rate(targets, others) <= 0.5


def test_normal_scores_make_a_straight_det_curve():
    """Targets N(2, 1), others N(0, 1): EER is Phi(-1), on the DET curve the two add up to -2."""
    grid = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    assert equal_error_rate(grid + 2, grid) == pytest.approx(stats.norm.cdf(-1), abs=1e-4)
    alarm, miss = error_rates(grid + 2, grid).det
    middle = (np.abs(alarm) < 2.5) & (np.abs(miss) < 2.5)
    assert middle.sum() > 1000
    np.testing.assert_allclose(alarm[middle] + miss[middle], -2, atol=0.01)


def test_probit_against_scipy():
    rates = np.linspace(0, 1, 101)
    np.testing.assert_allclose(probit(rates), stats.norm.ppf(rates), atol=1e-9)


@settings(max_examples=300, deadline=None)
@given(weighted)
def test_pooling_against_scikit_learn(pairs):
    values, weights = zip(*pairs, strict=True)
    theirs = isotonic_regression(np.array(values), sample_weight=np.array(weights))
    np.testing.assert_allclose(pool_adjacent_violators(values, weights), theirs, atol=1e-9)


@settings(max_examples=200, deadline=None)
@given(weighted)
def test_pooling_by_brute_force(pairs):
    """The min-max formula of isotonic regression: fit_i = max over a <= i of min over b >= i of mean(a..b)."""
    values, weights = map(np.array, zip(*pairs, strict=True))
    n = len(values)
    expected = [
        max(min(np.average(values[a : b + 1], weights=weights[a : b + 1]) for b in range(i, n)) for a in range(i + 1))
        for i in range(n)
    ]
    np.testing.assert_allclose(pool_adjacent_violators(values, weights), expected, atol=1e-9)


@settings(max_examples=200, deadline=None)
@given(weighted)
def test_pooling_twice_is_pooling_once(pairs):
    values, weights = zip(*pairs, strict=True)
    once = pool_adjacent_violators(values, weights)
    assert (np.diff(once) >= 0).all()
    np.testing.assert_array_equal(pool_adjacent_violators(once, weights), once)
    assert np.dot(once, weights) == pytest.approx(np.dot(values, weights), abs=1e-9)  # the mass stays


@pytest.mark.parametrize("measure", [error_rates, equal_error_rate, area_under_curve])
@pytest.mark.parametrize(
    ("targets", "others", "code"),
    [
        ([], [1.0], "bad_shape"),
        ([1.0], [], "bad_shape"),
        ([[1.0]], [1.0], "bad_shape"),
        (["loud"], [1.0], "bad_shape"),
        ([float("nan")], [1.0], "not_a_number"),
        ([1.0], [float("nan")], "not_a_number"),
    ],
)
def test_what_has_no_curve_is_refused(measure, targets, others, code):
    with pytest.raises(DataError) as caught:
        measure(targets, others)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("values", "weights", "code"),
    [
        ([], [], "bad_shape"),
        ([1.0], [1.0, 2.0], "length_mismatch"),
        ([inf], [1.0], "not_a_number"),
        ([1.0], [0.0], "bad_weight"),
        ([1.0], [-1.0], "bad_weight"),
        ([1.0], [inf], "bad_weight"),
    ],
)
def test_what_cannot_be_pooled_is_refused(values, weights, code):
    with pytest.raises(DataError) as caught:
        pool_adjacent_violators(values, weights)
    assert caught.value.code == code


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_probit_refuses_what_is_no_rate(rate):
    with pytest.raises(DataError) as caught:
        probit([0.5, rate])
    assert caught.value.code == "bad_rate"


def test_det_has_false_alarms_first() -> None:
    # Of four targets one lies below 1.5, of two others one above it: misses 1/4, false alarms 1/2.
    rates = error_rates([1.0, 3.0, 4.0, 5.0], [0.0, 2.0])
    at = int(np.flatnonzero(rates.thresholds == 2.0)[0])
    alarm, miss = (axis[at] for axis in rates.det)
    assert (alarm, miss) == pytest.approx((0.0, -0.6744897501960817))  # quantiles of 1/2 and 1/4


@given(scores, scores, st.sampled_from([0.05, 0.1, 0.37, 0.5, 1.0]))
def test_partial_area_is_scikit_learns(targets, others, most):
    truth = [1] * len(targets) + [0] * len(others)
    expected = sklearn_metrics.roc_auc_score(truth, [*targets, *others], max_fpr=most)
    assert partial_area(targets, others, most) == pytest.approx(expected, abs=1e-12)


def test_partial_area_at_its_ends():
    assert partial_area([2, 3], [0, 1]) == 1
    assert partial_area([1, 1], [1, 1], 0.3) == pytest.approx(0.5)  # one tie: the diagonal
    # All wrong: no area at all, (1 - (f^2 / 2) / (f - f^2 / 2)) / 2 with f = 0.1.
    assert partial_area([0], [1], 0.1) == pytest.approx((1 - 0.005 / 0.095) / 2)
    # Of ten others the highest alone beats the target: up to 0.1, the default, there is no area, and from there on all.
    assert partial_area([1], [2] + [0] * 9) == pytest.approx((1 - 0.005 / 0.095) / 2)
    for most in (0, 1.1, float("nan")):
        with pytest.raises(DataError) as caught:
            partial_area([1], [0], most)
        assert caught.value.code == "bad_rate"
