"""gmmaudio.measures.cllr and .multiclass against closed forms, brute force, scikit-learn, and by hand."""

from itertools import combinations, pairwise
from math import inf, log, log2

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.isotonic import isotonic_regression
from sklearn.metrics import log_loss

from gmmaudio.errors import DataError
from gmmaudio.measures.cllr import cllr, min_cllr
from gmmaudio.measures.multiclass import class_cllr, detection_llrs, detector_cllr, min_class_cllr, multiclass_cllr

scores = st.lists(st.integers(-8, 8).map(lambda n: n / 2), min_size=1, max_size=12)


def clips(most=6, number=st.floats(-20, 20)):  # noqa: B008 -- a strategy is a value
    """Truth and (n, L) log-likelihoods; each class has clips."""

    def rows(size):
        row = st.tuples(st.integers(0, size - 1), st.lists(number, min_size=size, max_size=size))
        every = st.tuples(*(st.tuples(st.just(own), row) for own in range(size)))
        return st.tuples(every, st.lists(row, max_size=12)).map(
            lambda found: [(own, values) for own, (_, values) in found[0]] + found[1]
        )

    return st.integers(2, most).flatmap(rows).map(lambda found: tuple(map(np.array, zip(*found, strict=True))))


# --- two classes ---


def test_cllr_worked_by_hand():
    # Targets at odds 3 : 1 and 1 : 1 for, cost log2(4/3) and 1; a non-target at 1 : 3, cost log2(4/3).
    expected = ((log2(4 / 3) + 1) / 2 + log2(4 / 3)) / 2
    assert cllr([log(3), 0], [-log(3)]) == pytest.approx(expected, abs=1e-15)


def test_cllr_of_a_right_and_of_a_wrong_certainty():
    assert cllr([inf], [-inf]) == 0
    assert cllr([inf, -inf], [0]) == inf
    assert cllr([0], [inf]) == inf
    assert cllr([800], [-800]) == pytest.approx(0, abs=1e-300)
    assert cllr([-1000], [0]) == pytest.approx((1000 / log(2) + 1) / 2, rel=1e-15)


@settings(max_examples=200, deadline=None)
@given(scores, scores)
def test_cllr_against_scikit_learn(targets, others):
    """It is the log loss at equal priors, the two classes weighing the same."""
    posterior = 1 / (1 + np.exp(-np.array(targets + others)))
    truth = [1] * len(targets) + [0] * len(others)
    weights = [1 / len(targets)] * len(targets) + [1 / len(others)] * len(others)
    assert cllr(targets, others) == pytest.approx(log_loss(truth, posterior, sample_weight=weights) / log(2), abs=1e-9)


def test_targets_and_others_cannot_be_swapped_unseen():
    # Targets 2 and -1, a non-target 0: 1/2 (mean(log2(1 + e^-2), log2(1 + e^1)) + 1).
    assert cllr([2, -1], [0]) == pytest.approx(((log2(1 + np.exp(-2)) + log2(1 + np.exp(1))) / 2 + 1) / 2, abs=1e-15)
    assert abs(cllr([0], [2, -1]) - cllr([2, -1], [0])) > 0.1
    assert min_cllr([2], [1]) == 0
    assert min_cllr([1], [2]) == 1  # the best increasing map of misleading scores says nothing


def test_min_cllr_worked_by_hand():
    # In order: other 0, target 1, other 2, target 3. PAV pools the middle two; there and only there a cost of 1 bit
    # is paid, by half of the targets and half of the others.
    assert min_cllr([1, 3], [0, 2]) == 0.5
    # One tie of 1 of 1 target and 1 of 2 others: masses 1/2 and 1/4, posterior 2/3; the other at 0 pays nothing.
    assert min_cllr([1], [1, 0]) == pytest.approx(-(1 / 2) * log2(2 / 3) - (1 / 4) * log2(1 / 3), abs=1e-15)
    assert min_cllr([inf, -inf], [inf, -inf]) == 1
    # 21 masses of 1/42 add up to more than a half by rounding; the cost is still no more than 1.
    assert min_cllr([0], [0] * 21) == 1


@settings(max_examples=200, deadline=None)
@given(scores, scores)
def test_min_cllr_against_scikit_learns_pav(targets, others):
    """Isotonic regression of 1 and 0 on the scores, ties pooled first, and the log loss of what comes out."""
    values, inverse = np.unique(targets + others, return_inverse=True)
    of_targets = np.bincount(inverse[: len(targets)], minlength=len(values)) / len(targets)
    of_others = np.bincount(inverse[len(targets) :], minlength=len(values)) / len(others)
    mass = of_targets + of_others
    posterior = isotonic_regression(of_targets / mass, sample_weight=mass)[inverse]
    costs = [-log2(p) for p in posterior[: len(targets)]], [-log2(1 - p) for p in posterior[len(targets) :]]
    assert min_cllr(targets, others) == pytest.approx((np.mean(costs[0]) + np.mean(costs[1])) / 2, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=5), st.lists(st.integers(0, 7), min_size=1, max_size=5))
def test_min_cllr_by_brute_force(targets, others):
    """Every way to cut the steps into runs: each run at its own posterior. Only rising ones are increasing maps."""
    steps = sorted({*targets, *others})
    t = [targets.count(s) / (2 * len(targets)) for s in steps]
    o = [others.count(s) / (2 * len(others)) for s in steps]
    best = inf
    for cuts in (c for k in range(len(steps)) for c in combinations(range(1, len(steps)), k)):
        ends = [0, *cuts, len(steps)]
        runs = [(sum(t[a:b]), sum(o[a:b])) for a, b in pairwise(ends)]
        shares = [a / (a + b) for a, b in runs]
        if all(x <= y + 1e-12 for x, y in pairwise(shares)):
            best = min(best, sum(-m * log2(m / (a + b)) for a, b in runs for m in (a, b) if m > 0))
    assert min_cllr(targets, others) == pytest.approx(best, abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(scores, scores)
def test_laws_of_min_cllr(targets, others):
    least = min_cllr(targets, others)
    assert 0 <= least <= min(1, cllr(targets, others) + 1e-12)
    for scale, shift in ((0.3, 0), (1, 2), (5, -3)):
        mapped = [[scale * s + shift for s in side] for side in (targets, others)]
        assert least <= cllr(*mapped) + 1e-12
        assert min_cllr(*mapped) == pytest.approx(least, abs=1e-12)


def test_calibrated_gaussian_scores_lose_nothing():
    """Scores N(+-m/2, m) are their own log-likelihood ratios (van Leeuwen and Brümmer 2013): PAV can add little."""
    draw = np.random.default_rng(3)
    m = 4.0
    targets, others = (draw.normal(side * m / 2, m**0.5, 40_000) for side in (1, -1))
    loss = cllr(targets, others) - min_cllr(targets, others)
    assert 0 <= loss < 0.002
    assert cllr(2 * targets, 2 * others) - min_cllr(targets, others) > 0.05


# --- L classes ---


def test_multiclass_worked_by_hand():
    # Class 0 has two clips with posteriors 1/2 and 1/4, class 1 one with 1/8, class 2 one with 1: 1.5, 3 and 0 bits.
    posteriors = [[1 / 2, 1 / 4, 1 / 4], [1 / 4, 3 / 4, 0], [3 / 8, 1 / 8, 1 / 2], [0, 0, 1]]
    with np.errstate(divide="ignore"):
        logs = np.log(posteriors)
    assert multiclass_cllr([0, 0, 1, 2], logs) == pytest.approx((1.5 + 3 + 0) / 3, abs=1e-15)


@settings(max_examples=200, deadline=None)
@given(clips())
def test_multiclass_against_scikit_learn(pair):
    truth, values = pair
    posteriors = np.exp(values - logsumexp(values, axis=1, keepdims=True))
    weights = 1 / np.bincount(truth)[truth]
    theirs = log_loss(truth, posteriors, sample_weight=weights, labels=range(values.shape[1])) / log(2)
    assume(posteriors.min() > 1e-12)  # scikit-learn clips
    assert multiclass_cllr(truth, values) == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(clips(), st.floats(-100, 100))
def test_a_constant_per_clip_changes_nothing(pair, shift):
    truth, values = pair
    shifts = shift * np.arange(len(truth))[:, None]
    assert multiclass_cllr(truth, values + shifts) == pytest.approx(multiclass_cllr(truth, values), abs=1e-9)


@pytest.mark.parametrize("size", [2, 3, 10])
def test_knowing_nothing(size):
    truth = list(range(size))
    flat = np.full((size, size), -7.0)
    assert multiclass_cllr(truth, flat) == pytest.approx(log2(size), abs=1e-12)
    assert class_cllr(truth, detection_llrs(flat)) == pytest.approx([1.0] * size, abs=1e-12)
    assert min_class_cllr(truth, flat) == pytest.approx([1.0] * size, abs=1e-12)


def test_certain_answers():
    right = np.array([[0, -inf, -inf], [-inf, 0, -inf], [-inf, -inf, 0]])
    assert multiclass_cllr([0, 1, 2], right) == 0
    assert multiclass_cllr([1, 0, 2], right) == inf
    ratios = detection_llrs(right)
    assert ratios.tolist() == [[inf, -inf, -inf], [-inf, inf, -inf], [-inf, -inf, inf]]
    assert class_cllr([0, 1, 2], ratios) == (0, 0, 0)
    assert class_cllr([1, 0, 2], ratios) == (inf, inf, 0)
    # Class 0's score is highest on the clip that is not: the best increasing map takes both for one.
    assert min_class_cllr([1, 0, 2], ratios)[2] == 0
    assert not np.isnan(min_class_cllr([1, 0, 2], ratios)).any()


@settings(max_examples=200, deadline=None)
@given(clips(number=st.sampled_from([0.0, 1.5, -3.0, -800.0, -inf])))
def test_classes_ruled_out_make_costs_infinite_never_nan(pair):
    truth, values = pair
    assume(not np.isneginf(values).all(axis=1).any())
    ratios = detection_llrs(values)
    costs = [multiclass_cllr(truth, values), *class_cllr(truth, ratios), *min_class_cllr(truth, ratios)]
    assert not np.isnan(ratios).any()
    assert not np.isnan(costs).any()
    assert (costs[0] == inf) == np.isneginf(values[np.arange(len(truth)), truth]).any()
    assert max(costs[-values.shape[1] :]) <= 1
    assert (np.array(costs[1 : 1 + values.shape[1]]).mean() <= costs[0] + 1e-9) or costs[0] == inf


@settings(max_examples=200, deadline=None)
@given(clips())
def test_detection_ratios_by_the_formula(pair):
    _, values = pair
    size = values.shape[1]
    found = detection_llrs(values)
    for own in range(size):
        others = logsumexp(np.delete(values, own, axis=1), axis=1) - log(size - 1)
        np.testing.assert_allclose(found[:, own], values[:, own] - others, atol=1e-9)


def test_detection_ratios_keep_their_digits():
    # Others at e^-50 beside 1: 1 + 2 e^-50 rounds to 1, but the ratio of class 0 is e^50 all the same.
    assert detection_llrs([[0.0, -50.0, -50.0]])[0, 0] == pytest.approx(50, abs=1e-12)


def by_class_brute_force(truth, ratios, cost):
    """Every (class, other class) pair on its own; the other classes weigh the same."""
    found = []
    for own in sorted(set(truth)):
        hit = np.mean([cost(-r[own]) for t, r in zip(truth, ratios, strict=True) if t == own])
        alarms = [
            np.mean([cost(r[own]) for t, r in zip(truth, ratios, strict=True) if t == other])
            for other in sorted(set(truth) - {own})
        ]
        found.append((hit + np.mean(alarms)) / 2)
    return found


@settings(max_examples=200, deadline=None)
@given(clips())
def test_class_cllr_by_brute_force(pair):
    truth, values = pair
    ratios = detection_llrs(values)
    expected = by_class_brute_force(truth.tolist(), ratios, lambda x: log2(1 + np.exp(x)))
    assert class_cllr(truth, ratios) == pytest.approx(expected, abs=1e-9)
    single = [detector_cllr(truth, own, ratios[:, own]) for own in range(values.shape[1])]
    assert single == pytest.approx(expected, abs=1e-9)


def test_a_detector_s_cost_worked_by_hand():
    # Class 2: its one clip at odds 3 for; class 0 two clips at 1 : 3 and 1 : 1, class 4 one at 1 : 1. Classes 1 and 3
    # have none. Bits log2(4/3); (log2(4/3) + 1) / 2 and 1.
    truth, llrs = [2, 0, 4, 0], [log(3), -log(3), 0.0, 0.0]
    bits = log2(4 / 3)
    assert detector_cllr(truth, 2, llrs) == pytest.approx((bits + ((bits + 1) / 2 + 1) / 2) / 2, abs=1e-15)
    assert detector_cllr([0, 1], 0, [inf, -inf]) == 0
    assert detector_cllr([0, 1], 1, [inf, -inf]) == inf


@pytest.mark.parametrize("own", [1, 3, 7])
def test_a_class_without_clips_has_no_detector(own):
    with pytest.raises(DataError) as caught:
        detector_cllr([0, 2, 0], own, [0.0, 0.0, 0.0])
    assert caught.value.code == "empty_class"


@pytest.mark.parametrize(
    ("truth", "llrs", "code"),
    [
        ([], [], "bad_shape"),
        ([0, 1], [[0.0], [1.0]], "bad_shape"),
        ([0.5, 1.0], [0.0, 1.0], "bad_shape"),
        ([0, 1, 1], [0.0, 1.0], "length_mismatch"),
        ([0, -2], [0.0, 1.0], "class_not_listed"),
        ([1, 1], [0.0, 1.0], "one_class"),
        ([0, 1, -1], [0.0, 1.0, 2.0], "out_of_set"),
        ([0, 1], [0.0, float("nan")], "not_a_number"),
    ],
)
def test_what_has_no_detector_cost_is_refused(truth, llrs, code):
    with pytest.raises(DataError) as caught:
        detector_cllr(truth, 0, llrs)
    assert caught.value.code == code


@settings(max_examples=200, deadline=None)
@given(clips(number=st.integers(-4, 4).map(float)))  # few values, so that ties abound
def test_min_class_cllr_against_scikit_learns_pav(pair):
    """Isotonic regression of "is it this class?", each other class weighing the same, and the log loss of that."""
    truth, values = pair
    counts = np.bincount(truth)
    for own, found in enumerate(min_class_cllr(truth, values)):
        weight = np.where(truth == own, 1 / counts[own], 1 / counts[truth] / (len(counts) - 1))
        steps, inverse = np.unique(values[:, own], return_inverse=True)
        mass = np.bincount(inverse, weight, len(steps))
        share = np.bincount(inverse, weight * (truth == own), len(steps)) / mass
        posterior = isotonic_regression(share, sample_weight=mass)[inverse]
        right = np.where(truth == own, posterior, 1 - posterior)
        assert found == pytest.approx(np.sum(weight * -np.log2(right)) / 2, abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(clips())
def test_laws_of_class_cllr(pair):
    truth, values = pair
    ratios = detection_llrs(values)
    actual, least = np.array(class_cllr(truth, ratios)), np.array(min_class_cllr(truth, ratios))
    assert (least <= actual + 1e-9).all()
    assert (least >= 0).all()
    assert (least <= 1).all()
    # Knowing which class is worth more than knowing whether it is this one.
    assert actual.mean() <= multiclass_cllr(truth, values) + 1e-9
    assert min_class_cllr(truth, 4 * ratios) == tuple(least)  # 4 is a power of 2: no two scores melt into one


@settings(max_examples=100, deadline=None)
@given(clips(most=2))
def test_two_classes_are_the_binary_measure(pair):
    truth, values = pair
    ratios = detection_llrs(values)
    targets, others = ratios[truth == 0, 0], ratios[truth == 1, 0]
    binary = cllr(targets, others)
    assert class_cllr(truth, ratios) == pytest.approx([binary, binary], abs=1e-9)
    assert multiclass_cllr(truth, values) == pytest.approx(binary, abs=1e-9)
    assert min_class_cllr(truth, ratios)[0] == pytest.approx(min_cllr(targets, others), abs=1e-9)


def test_min_class_cllr_worked_by_hand():
    # Class 0: its clips score 2, 1; class 1 scores 1, class 2 scores 0, 0. Masses: 2 -> 1/4 : 0, 1 -> 1/4 : 1/4
    # (class 1 has one clip and shares the others' half with class 2), 0 -> 0 : 1/4. Only the tie pays: 1/2 at 1 bit.
    column = np.array([2.0, 1.0, 1.0, 0.0, 0.0])
    values = np.column_stack([column, -column, np.zeros(5)])
    assert min_class_cllr([0, 0, 1, 2, 2], values)[0] == pytest.approx(0.5, abs=1e-15)
    assert min_class_cllr([0, 0, 1, 2, 2], values)[2] == pytest.approx(1.0, abs=1e-15)


def test_no_affine_map_beats_min_class_cllr():
    """An optimiser searching scale and offset per class stays above the PAV bound."""
    draw = np.random.default_rng(8)
    truth = np.repeat([0, 1, 2], 30)
    values = draw.normal(size=(90, 3)) + 1.5 * np.eye(3)[truth]
    ratios = 3 * detection_llrs(values)
    for own, least in enumerate(min_class_cllr(truth, ratios)):
        column = ratios[:, own]
        best = minimize(
            lambda p, own=own, column=column: class_cllr(truth, np.tile((p[0] * column + p[1])[:, None], 3))[own],
            [1.0, 0.0],
            method="Nelder-Mead",
        ).fun
        assert least <= best + 1e-9 < class_cllr(truth, ratios)[own]


def test_a_class_without_clips_is_not_counted():
    values = np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 3.0]])
    # Its posterior still takes its part: classes 0 and 1 pay -log2 of e^2 / (e^2 + 1 + e) and e / (1 + e + e^3).
    expected = (-log2(np.exp(2) / (np.exp(2) + 1 + np.e)) - log2(np.e / (1 + np.e + np.exp(3)))) / 2
    assert multiclass_cllr([0, 1], values) == pytest.approx(expected, abs=1e-12)
    ratios = detection_llrs(values)
    assert class_cllr([0, 1], ratios)[2] is None
    assert min_class_cllr([0, 1], ratios) == (0.0, 0.0, None)
    assert class_cllr([0, 1], ratios)[0] == pytest.approx(cllr(ratios[:1, 0], ratios[1:, 0]), abs=1e-12)


def test_the_number_of_clips_of_a_class_does_not_matter():
    truth, values = np.array([0, 1, 2]), np.array([[2.0, 0, 1], [0, 1, 3], [1, 0, 0]])
    more = np.array([0, 1, 2, 2, 2, 1]), values[[0, 1, 2, 2, 2, 1]]
    assert multiclass_cllr(*more) == pytest.approx(multiclass_cllr(truth, values), abs=1e-12)
    for measure in (class_cllr, min_class_cllr):
        assert measure(*more) == pytest.approx(measure(truth, values), abs=1e-12)


@pytest.mark.parametrize(
    ("truth", "values", "code"),
    [
        ([], np.zeros((0, 2)), "bad_shape"),
        ([0, 1], np.zeros((2, 1)), "bad_shape"),
        ([0, 1], [0.0, 1.0], "bad_shape"),
        ([0.0, 1.0], np.zeros((2, 2)), "bad_shape"),
        ([0, 1, 1], np.zeros((2, 2)), "length_mismatch"),
        ([0, 2], np.zeros((2, 2)), "class_not_listed"),
        ([0, -2], np.zeros((2, 2)), "class_not_listed"),
        ([1, 1], np.zeros((2, 2)), "one_class"),
        ([0, 1, -1], np.zeros((3, 2)), "out_of_set"),
        ([0, 1], [[0.0, float("nan")], [0.0, 0.0]], "not_a_number"),
    ],
)
@pytest.mark.parametrize("measure", [multiclass_cllr, class_cllr, min_class_cllr])
def test_what_has_no_cllr_is_refused(measure, truth, values, code):
    with pytest.raises(DataError) as caught:
        measure(truth, values)
    assert caught.value.code == code


@pytest.mark.parametrize("row", [[inf, 0.0], [-inf, -inf]])
def test_impossible_likelihoods_are_refused(row):
    for measure in (lambda rows: multiclass_cllr([0, 1], rows), detection_llrs):
        with pytest.raises(DataError) as caught:
            measure([row, [0.0, 0.0]])
        assert caught.value.code == "bad_likelihood"


@pytest.mark.parametrize("measure", [cllr, min_cllr])
@pytest.mark.parametrize(("targets", "others"), [([], [1.0]), ([1.0], [])])
def test_one_side_only_is_refused(measure, targets, others):
    with pytest.raises(DataError) as caught:
        measure(targets, others)
    assert caught.value.code == "bad_shape"
