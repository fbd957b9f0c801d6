"""gmmaudio.measures.metrics against scikit-learn, a table worked by hand, and the laws of counting."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn import metrics as sklearn_metrics

from gmmaudio.errors import DataError
from gmmaudio.measures import metrics

LABELS = ["ant", "bee", "cat", "dog"]

# Worked by hand; asymmetric on purpose, so that a swap of truth and prediction shows in every figure:
#            ant  bee  cat | refused
#   ant        3    1    0 |   0        recall 3/4    precision 3/5
#   bee        2    1    0 |   1        recall 1/4    precision 1/2
#   cat        0    0    2 |   0        recall 2/2    precision 2/2
TRUTH = ["ant"] * 4 + ["bee"] * 4 + ["cat"] * 2
PREDICTED = ["ant", "ant", "ant", "bee", "ant", "ant", "bee", None, "cat", "cat"]


def decisions(answers):
    """n true labels and as many answers."""
    return st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(answers)), min_size=1, max_size=40).map(
        lambda pairs: tuple(map(list, zip(*pairs, strict=True)))
    )


def test_a_table_worked_by_hand():
    labels = ["ant", "bee", "cat"]
    assert metrics.accuracy(TRUTH, PREDICTED) == 6 / 10
    assert metrics.balanced_accuracy(TRUTH, PREDICTED) == pytest.approx((3 / 4 + 1 / 4 + 1) / 3, abs=1e-15)
    assert metrics.confusion(TRUTH, PREDICTED, labels).tolist() == [[3, 1, 0], [2, 1, 0], [0, 0, 2]]
    assert metrics.refused(TRUTH, PREDICTED, labels).tolist() == [0, 1, 0]
    # F1 = 2 right / (answered + clips): 6 / (5 + 4), 2 / (2 + 4), 4 / (2 + 2).
    assert metrics.per_class(TRUTH, PREDICTED, labels) == {
        "ant": {"precision": 3 / 5, "recall": 3 / 4, "f1": 6 / 9, "clips": 4},
        "bee": {"precision": 1 / 2, "recall": 1 / 4, "f1": 2 / 6, "clips": 4},
        "cat": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "clips": 2},
    }


def test_truth_and_prediction_cannot_be_swapped_unseen():
    truth, predicted = ["ant", "ant", "ant", "bee"], ["ant", "bee", "bee", "bee"]
    right_way, swapped = (
        metrics.per_class(first, second, ["ant", "bee"]) for first, second in [(truth, predicted), (predicted, truth)]
    )
    # By hand: ant is right 1 time of 3 clips, and each of its 1 answers is right.
    assert (right_way["ant"]["precision"], right_way["ant"]["recall"]) == (1.0, 1 / 3)
    assert (swapped["ant"]["precision"], swapped["ant"]["recall"]) == (1 / 3, 1.0)
    assert metrics.confusion(truth, predicted, ["ant", "bee"]).tolist() == [[1, 2], [0, 1]]
    assert metrics.confusion(predicted, truth, ["ant", "bee"]).tolist() == [[1, 0], [2, 1]]


def test_balanced_accuracy_asks_for_the_truth_first():
    truth, predicted = ["ant", "ant", "bee"], ["ant", "ant", "ant"]
    assert metrics.balanced_accuracy(truth, predicted) == 0.5  # ant 2 of 2, bee 0 of 1
    # The other way round there is one class of three clips, two of them right.
    assert metrics.balanced_accuracy(predicted, truth) == pytest.approx(2 / 3, abs=1e-15)


@settings(max_examples=200, deadline=None)
@given(decisions(LABELS))
def test_against_scikit_learn(pair):
    truth, predicted = pair
    # scikit-learn warns about predicted classes without clips; the same classes in both keep it silent.
    truth, predicted = [*truth, *LABELS], [*predicted, *LABELS]
    assert metrics.accuracy(truth, predicted) == pytest.approx(sklearn_metrics.accuracy_score(truth, predicted))
    assert metrics.balanced_accuracy(truth, predicted) == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(truth, predicted), abs=1e-12
    )


@settings(max_examples=200, deadline=None)
@given(decisions(LABELS))
def test_tables_against_scikit_learn(pair):
    truth, predicted = pair
    np.testing.assert_array_equal(
        metrics.confusion(truth, predicted, LABELS),
        sklearn_metrics.confusion_matrix(truth, predicted, labels=LABELS),
    )
    theirs = sklearn_metrics.precision_recall_fscore_support(truth, predicted, labels=LABELS, zero_division=np.nan)
    ours = metrics.per_class(truth, predicted, LABELS).values()
    for name, column in zip(("precision", "recall", "f1", "clips"), theirs, strict=True):
        values = [np.nan if row[name] is None else row[name] for row in ours]
        np.testing.assert_allclose(values, column, rtol=0, atol=1e-12, err_msg=name)


@settings(max_examples=100, deadline=None)
@given(decisions([*LABELS, None]))
def test_every_clip_is_counted_once(pair):
    truth, predicted = pair
    table, missed = metrics.confusion(truth, predicted, LABELS), metrics.refused(truth, predicted, LABELS)
    assert table.sum() + missed.sum() == len(truth)
    assert (table.sum(axis=1) + missed).tolist() == [truth.count(label) for label in LABELS]
    assert table.trace() == pytest.approx(metrics.accuracy(truth, predicted) * len(truth))


@settings(max_examples=100, deadline=None)
@given(decisions([*LABELS, None]))
def test_a_refusal_is_an_error_of_its_class(pair):
    """scikit-learn with the refusals as one more class, over the others, is the oracle."""
    truth, predicted = pair
    renamed = [answer or "(refused)" for answer in predicted]
    theirs = sklearn_metrics.precision_recall_fscore_support(truth, renamed, labels=LABELS, zero_division=np.nan)
    ours = metrics.per_class(truth, predicted, LABELS).values()
    for name, column in zip(("precision", "recall", "f1", "clips"), theirs, strict=True):
        values = [np.nan if row[name] is None else row[name] for row in ours]
        np.testing.assert_allclose(values, column, rtol=0, atol=1e-12, err_msg=name)
    assert metrics.accuracy(truth, predicted) == pytest.approx(sklearn_metrics.accuracy_score(truth, renamed))


def test_a_label_that_the_model_does_not_know_is_a_row_of_errors():
    truth, predicted = ["ant", "emu", "emu"], ["ant", "ant", None]
    labels = metrics.label_set(truth, predicted, known=["ant", "bee"])
    assert labels == ("ant", "bee", "emu")
    assert metrics.confusion(truth, predicted, labels).tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    table = metrics.per_class(truth, predicted, labels)
    # emu: 0 of 2 found, never answered; bee: neither clips nor answers.
    assert table["emu"] == {"precision": None, "recall": 0.0, "f1": 0.0, "clips": 2}
    assert table["bee"] == {"precision": None, "recall": None, "f1": None, "clips": 0}
    assert metrics.accuracy(truth, predicted) == 1 / 3
    assert metrics.balanced_accuracy(truth, predicted) == 0.5  # ant 1, emu 0; bee has no clips


def test_numpy_labels_are_labels():
    truth, predicted = np.array(["ant", "bee"]), np.array(["ant", "ant"])
    assert metrics.accuracy(truth, predicted) == 0.5
    assert metrics.confusion(truth, predicted, np.array(["ant", "bee"])).tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize(
    ("truth", "predicted", "labels", "code"),
    [
        (["ant"], ["ant", "bee"], LABELS, "length_mismatch"),
        ([], [], LABELS, "no_decisions"),
        ([None], ["ant"], LABELS, "no_truth"),
        (["emu"], ["ant"], LABELS, "label_not_listed"),
        (["ant"], ["emu"], LABELS, "label_not_listed"),
        (["ant"], ["ant"], ["ant", "ant"], "label_twice"),
    ],
)
@pytest.mark.parametrize("measure", [metrics.confusion, metrics.refused, metrics.per_class])
def test_what_cannot_be_counted_is_refused(measure, truth, predicted, labels, code):
    with pytest.raises(DataError) as caught:
        measure(truth, predicted, labels)
    assert caught.value.code == code


@pytest.mark.parametrize("measure", [metrics.accuracy, metrics.balanced_accuracy])
@pytest.mark.parametrize(
    ("truth", "predicted", "code"),
    [(["ant"], [], "length_mismatch"), ([], [], "no_decisions"), ([None], [None], "no_truth")],
)
def test_what_cannot_be_averaged_is_refused(measure, truth, predicted, code):
    with pytest.raises(DataError) as caught:
        measure(truth, predicted)
    assert caught.value.code == code
