"""gmmaudio.measures.language: Cavg by the evaluation plans' formula, pair by pair and by hand; identification error."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import accuracy_score, recall_score

from gmmaudio.errors import DataError
from gmmaudio.measures.checks import OUT_OF_SET, places
from gmmaudio.measures.language import average_cost, identification_error
from gmmaudio.measures.multiclass import detection_llrs


def trials(outside):
    """Truth and (n, L) decisions; each language has clips, and the outside if asked for."""

    def rows(size):
        row = st.lists(st.booleans(), min_size=size, max_size=size)
        own = st.integers(OUT_OF_SET if outside else 0, size - 1)
        first = [OUT_OF_SET] * outside + list(range(size))
        every = st.tuples(*(st.tuples(st.just(place), row) for place in first))
        return st.tuples(every, st.lists(st.tuples(own, row), max_size=15)).map(lambda found: [*found[0], *found[1]])

    return st.integers(2, 5).flatmap(rows).map(lambda found: tuple(map(np.array, zip(*found, strict=True))))


def cavg_by_the_plan(truth, accepted):
    """Sums over trials, pair by pair of target and segment language, as the plan is written."""
    size = accepted.shape[1]
    open_set = OUT_OF_SET in truth
    p_target, p_outside = 0.5, 0.2 if open_set else 0.0
    p_nontarget = (1 - p_target - p_outside) / (size - 1)

    def share(target, segment):
        decisions = [bool(row[target]) for own, row in zip(truth, accepted, strict=True) if own == segment]
        return sum(decisions) / len(decisions)

    costs = []
    for target in range(size):
        cost = p_target * (1 - share(target, target))
        for segment in range(size):
            if segment != target:
                cost += p_nontarget * share(target, segment)
        if open_set:
            cost += p_outside * share(target, OUT_OF_SET)
        costs.append(cost)
    return costs


def test_closed_set_worked_by_hand():
    # Language 0: clips accepted as 0: 1 of 2, as 1: 1 of 2, as 2: 0 of 2.  1: 0, 1, 0 of 1.  2: 1, 0, 1 of 1.
    truth = [0, 0, 1, 2]
    accepted = [[1, 1, 0], [0, 0, 0], [0, 1, 0], [1, 0, 1]]
    found = average_cost(truth, accepted)
    assert found.miss == (1 / 2, 0, 0)
    assert found.false_alarm == ((0 + 1) / 2, (1 / 2 + 0) / 2, 0)
    assert found.false_alarm_out_of_set == (None, None, None)
    # C(t) = 0.5 miss + 0.25 (sum of the two false alarm rates).
    assert found.per_language == (0.25 + 0.25 * 1, 0.25 * 0.5, 0)
    assert found.average == pytest.approx((0.5 + 0.125 + 0) / 3, abs=1e-15)


def test_open_set_worked_by_hand():
    # Two languages: P_nontarget = (1 - 0.5 - 0.2) / 1 = 0.3. Out of set: accepted as 0 twice of 4, as 1 never.
    truth = [0, 0, 1, -1, -1, -1, -1]
    accepted = [[1, 0], [0, 1], [0, 1], [1, 0], [1, 0], [0, 0], [0, 0]]
    found = average_cost(truth, accepted)
    assert found.false_alarm_out_of_set == (0.5, 0)
    assert found.per_language == pytest.approx((0.5 * 0.5 + 0 + 0.2 * 0.5, 0 + 0.3 * 0.5 + 0), abs=1e-15)
    assert found.average == pytest.approx((0.35 + 0.15) / 2, abs=1e-15)


@pytest.mark.parametrize("outside", [False, True])
def test_by_the_plan(outside):
    @settings(max_examples=150, deadline=None)
    @given(trials(outside))
    def check(pair):
        found, expected = average_cost(*pair), cavg_by_the_plan(*pair)
        assert found.per_language == pytest.approx(expected, abs=1e-12)
        assert found.average == pytest.approx(np.mean(expected), abs=1e-12)
        assert 0 <= found.average <= 1

    check()


@pytest.mark.parametrize("truth", [[0, 1, 2, 2], [0, 1, 2, -1]])
def test_perfect_never_always_and_all_wrong(truth):
    perfect = np.array([[own == column for column in range(3)] for own in truth])
    assert average_cost(truth, perfect).average == 0
    assert average_cost(truth, np.zeros((4, 3), bool)).average == 0.5
    assert average_cost(truth, np.ones((4, 3), bool)).average == pytest.approx(0.5, abs=1e-15)
    assert average_cost(truth, ~perfect).average == pytest.approx(1, abs=1e-15)


def test_the_number_of_clips_of_a_language_does_not_matter():
    truth, accepted = np.array([0, 1, 2, -1]), np.array([[1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 0]])
    again = [0, 0, 0, 1, 2, 2, 3, 3, 3]
    first, second = average_cost(truth, accepted), average_cost(truth[again], accepted[again])
    assert first.per_language == pytest.approx(second.per_language, abs=1e-15)


def test_a_language_without_clips_is_left_out():
    accepted = np.array([[1, 1, 0], [0, 1, 1]])
    found = average_cost([0, 1], accepted)
    without = average_cost([0, 1], accepted[:, :2])
    assert found.average == without.average == 0.25 * 1  # language 1 takes the only clip of language 0: 0.5 * 1 / 2
    assert found.per_language == (*without.per_language, None)
    assert (found.miss[2], found.false_alarm[2]) == (None, None)


def test_from_scores_at_a_threshold():
    # Posteriors (0.6, 0.2, 0.2): odds against the mean of the others 3, 1/2, 1/2; (0.4, 0.35, 0.25): 4/3, 14/13, 2/3.
    ratios = detection_llrs(np.log([[0.6, 0.2, 0.2], [0.4, 0.35, 0.25], [0.1, 0.1, 0.8]]))
    assert (ratios >= 0).tolist() == [[True, False, False], [True, True, False], [False, False, True]]
    # All three clips are found; clip 1, of language 1, is taken for 0 as well: C(0) = 0.5 (1 + 0) / 2.
    assert average_cost([0, 1, 2], ratios >= 0).per_language == (0.25, 0, 0)


def test_a_tie_with_the_threshold_is_accepted():
    assert average_cost([0, 1], detection_llrs(np.zeros((2, 2))) >= 0).miss == (0, 0)


def test_truth_and_decisions_cannot_be_swapped_unseen():
    truth, accepted = [0, 1], np.eye(2, dtype=bool)
    with pytest.raises(DataError):
        average_cost(accepted, truth)
    # Language 0 is taken for 1, but 1 never for 0: the miss and the false alarm fall to different languages.
    found = average_cost([0, 1], [[0, 1], [0, 1]])
    assert (found.miss, found.false_alarm) == ((1, 0), (0, 1))


def test_identification_error_worked_by_hand():
    found = identification_error([0, 0, 0, 1, 1, 2], [0, 1, -1, 1, 1, 0], 4)
    assert found.overall == pytest.approx(3 / 6, abs=1e-15)
    assert found.per_language == (pytest.approx(2 / 3), 0, 1, None)
    assert found.average == pytest.approx((2 / 3 + 0 + 1) / 3, abs=1e-15)
    # The other way round, 0 was "true" twice and 1 three times.
    assert identification_error([0, 1, 0, 1, 1, 2], [0, 0, 0, 1, 1, 0], 4).per_language[:3] == (
        0,
        pytest.approx(1 / 3),
        1,
    )
    assert identification_error([0, 0, 0, 1, 1, 0], [0, 1, 0, 1, 1, 2], 4).per_language[:3] == (0.5, 0, None)


def test_a_clip_out_of_set_is_right_if_refused():
    found = identification_error([0, 1, -1, -1], [0, 1, -1, 1], 2)
    assert found.overall == 0.25
    assert found.per_language == (0, 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), max_size=30))
def test_identification_error_against_scikit_learn(pairs):
    truth, predicted = map(list, zip(*pairs, (0, 0), (1, 0), (2, 3), (3, 3), strict=True))
    found = identification_error(truth, predicted, 4)
    assert found.overall == pytest.approx(1 - accuracy_score(truth, predicted), abs=1e-12)
    recalls = recall_score(truth, predicted, labels=[0, 1, 2, 3], average=None)
    assert found.per_language == pytest.approx(tuple(1 - recalls), abs=1e-12)
    assert found.average == pytest.approx(1 - recalls.mean(), abs=1e-12)


def test_places_of_labels():
    assert places(["fr", "de", "xx", "fr"], ["de", "fr"]).tolist() == [1, 0, -1, 1]
    with pytest.raises(DataError) as caught:
        places(["de"], ["de", "de"])
    assert caught.value.code == "label_twice"


@pytest.mark.parametrize(
    ("truth", "accepted", "code"),
    [
        (np.zeros(0, int), np.zeros((0, 2), bool), "bad_shape"),
        ([0, 1], [[0.3, 0.7], [0.1, 0.9]], "bad_shape"),
        ([0, 1], [[0, 2], [1, 0]], "bad_shape"),
        ([0], [[True, False]], "one_class"),
        ([0, 1], [[True], [False]], "bad_shape"),
        ([0, 1], [True, False], "bad_shape"),
        ([[0, 1]], np.eye(2), "bad_shape"),
        ([0], np.eye(2), "length_mismatch"),
        ([0, 5], np.eye(2), "class_not_listed"),
        ([-1, -1], np.eye(2), "one_class"),
        ([1, -1], np.eye(2), "one_class"),
    ],
)
def test_what_has_no_cost_is_refused(truth, accepted, code):
    with pytest.raises(DataError) as caught:
        average_cost(truth, accepted)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("truth", "predicted", "code"),
    [
        (np.zeros(0, int), np.zeros(0, int), "bad_shape"),
        ([0, 1], [0.0, 1.0], "bad_shape"),
        ([0, 1], [[0], [1]], "bad_shape"),
        ([0], [0], "one_class"),
        ([0, 1, 1], [0, 1], "length_mismatch"),
        ([0, 1], [0, 2], "class_not_listed"),
        ([0, 1], [0, -2], "class_not_listed"),
        ([1, 1], [0, 1], "one_class"),
    ],
)
def test_what_has_no_identification_error_is_refused(truth, predicted, code):
    with pytest.raises(DataError) as caught:
        identification_error(truth, predicted, 2)
    assert caught.value.code == code
