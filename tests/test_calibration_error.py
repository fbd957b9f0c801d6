"""gmmaudio.measures.calibration against bins counted one by one, scikit-learn, and by hand."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.calibration import calibration_curve

from gmmaudio.errors import DataError
from gmmaudio.measures.calibration import equal_count, reliability

answers = st.lists(st.tuples(st.booleans(), st.integers(0, 120).map(lambda n: n / 120)), min_size=1, max_size=60)


def test_worked_by_hand():
    # Bins to 1/2 and above. 0, 0.4 and 0.5 in the first: mean 0.3, 1 of 3 right; 0.8 and 1.0: mean 0.9, 1 of 2 right.
    found = reliability([False, True, False, True, False], [0.4, 0.0, 0.5, 1.0, 0.8], [0, 0.5, 1])
    np.testing.assert_allclose(found.confidence, [0.3, 0.9], atol=1e-15)
    np.testing.assert_allclose(found.accuracy, [1 / 3, 1 / 2], atol=1e-15)
    assert found.count.tolist() == [3, 2]
    assert found.point.tolist() == [0, 0, 0, 1, 1]
    assert found.error == pytest.approx((3 * (1 / 3 - 0.3) + 2 * (0.9 - 0.5)) / 5, abs=1e-15)


def test_points_are_numbered_without_the_empty_bins():
    # Of four bins the second and the fourth hold answers.
    found = reliability([True, False, True], [0.9, 0.3, 0.4], [0, 0.25, 0.5, 0.75, 1])
    assert found.count.tolist() == [2, 1]
    assert found.point.tolist() == [1, 0, 0]


def test_perfect_and_hopeless_calibration():
    assert reliability([True, False, True, False], [0.5] * 4).error == 0
    assert reliability([False, False], [1.0, 1.0]).error == 1
    assert reliability([True, True], [0.0, 0.0]).error == 1


@settings(max_examples=200, deadline=None)
@given(answers)
def test_by_counting(pairs):
    error = 0.0
    for b in range(15):
        held = [(right, p) for right, p in pairs if (b / 15 < p or b == 0) and p <= (b + 1) / 15]
        if held:
            rights, ps = zip(*held, strict=True)
            error += len(held) / len(pairs) * abs(sum(rights) / len(held) - sum(ps) / len(held))
    correct, confidence = zip(*pairs, strict=True)
    edges = [b / 15 for b in range(16)]  # rounded as above, so that an answer on an edge falls to the same side
    assert reliability(correct, confidence, edges).error == pytest.approx(error, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(answers)
def test_points_against_scikit_learn(pairs):
    correct, confidence = zip(*pairs, strict=True)
    found = reliability(correct, confidence)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=15)
    np.testing.assert_allclose(found.accuracy, accuracy, atol=1e-12)
    np.testing.assert_allclose(found.confidence, mean, atol=1e-12)
    assert found.count.sum() == len(pairs)


@settings(max_examples=200, deadline=None)
@given(answers, st.integers(1, 20))
def test_equal_counts(pairs, bins):
    correct, confidence = zip(*pairs, strict=True)
    edges = equal_count(confidence, bins)
    assert (np.diff(edges) > 0).all()
    assert (edges[0], edges[-1]) == (0, 1)
    found = reliability(correct, confidence, edges)
    assert len(found.count) <= bins
    if len(set(confidence)) == len(confidence) and min(confidence) > 0 and len(pairs) % bins == 0:
        assert found.count.tolist() == [len(pairs) // bins] * bins


def test_equal_counts_worked_by_hand():
    assert equal_count([0.9, 0.2, 0.4, 0.7, 0.6, 0.8], bins=3).tolist() == [0, 0.4, 0.7, 1]
    assert equal_count([0.1, 0.2, 0.3, 0.4, 0.5], bins=2).tolist() == [0, 0.3, 1]  # three and two
    assert equal_count([0.9] * 5 + [0.3], bins=3).tolist() == [0, 0.9, 1]  # no cut between equal confidences


@settings(max_examples=100, deadline=None)
@given(answers)
def test_one_bin_is_the_gap_of_the_means(pairs):
    correct, confidence = zip(*pairs, strict=True)
    assert reliability(correct, confidence, [0, 1]).error == pytest.approx(
        abs(np.mean(correct) - np.mean(confidence)), abs=1e-12
    )


def test_answers_right_as_often_as_they_say():
    draw = np.random.default_rng(1)
    confidence = draw.uniform(0.2, 1, 200_000)
    correct = draw.uniform(size=200_000) < confidence
    assert reliability(correct, confidence).error < 0.005
    assert reliability(correct, confidence**2).error > 0.1


def test_correct_and_confidence_cannot_be_swapped_unseen():
    with pytest.raises(DataError):
        reliability([0.9, 0.8], [True, False])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (([], []), "bad_shape"),
        (([True], [[0.5]]), "bad_shape"),
        (([0.5], [0.5]), "bad_shape"),
        (([True, False], [0.5]), "length_mismatch"),
        (([True], [float("nan")]), "not_a_number"),
        (([True], [1.5]), "bad_confidence"),
        (([True], [-0.1]), "bad_confidence"),
        (([True, True], [0.5, 1.5]), "bad_confidence"),
        (([True, True], [-0.1, 0.5]), "bad_confidence"),
        (([True], [0.5], [0, 0.5]), "bad_edges"),
        (([True], [0.5], [0.1, 1]), "bad_edges"),
        (([True], [0.5], [0, 0.5, 0.5, 1]), "bad_edges"),
        (([True], [0.5], [0]), "bad_edges"),
    ],
)
def test_what_has_no_diagram_is_refused(arguments, code):
    with pytest.raises(DataError) as caught:
        reliability(*arguments)
    assert caught.value.code == code


def test_no_bins_are_refused():
    with pytest.raises(DataError) as caught:
        equal_count([0.5], 0)
    assert caught.value.code == "bad_bins"
