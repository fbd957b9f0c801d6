"""The gate of "unknown": leads by hand, thresholds by hand, costs on clips made for it, hostile files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmaudio.classify.calibrate import Calibration
from gmmaudio.classify.calibration_fit import HeldOut
from gmmaudio.classify.gate import Gate, gate_from, lead, refuse_reserved
from gmmaudio.classify.gate_fit import best_leads, fit_gate, upper_quantile
from gmmaudio.errors import DataError
from gmmaudio.measures.multiclass import detection_llrs
from gmmaudio.tensors import Broken

GATE = Gate(1.5, 0.05, 0.06, 0.03, 0.1, 0.08, 0.05, 0.12, 400, 500)
PLAIN = Calibration(1.0, 1e-9, (0.0,) * 5, (0.0,) * 5, 1, 1, 0)  # scores as they are, for any number of frames


def normal_clips(count: int, strength: float, seed: int, own: bool = True) -> HeldOut:
    """Clips of five labels, of ten groups; the true label's score is normal about ``strength``, the others about 0."""
    draw = np.random.default_rng(seed)
    truth = np.arange(count) % 5
    scores = draw.normal(size=(count, 5)) + strength * np.eye(5)[truth]
    if not own:
        scores[np.arange(count), truth] = -np.inf
    groups = [f"g{i // 5 % 10}" for i in range(count)]
    return HeldOut(truth, scores, np.full(count, 100), np.ones(count), np.arange(count), groups)


def test_the_lead_by_hand() -> None:
    scores = np.log([[0.6, 0.2, 0.1], [0.1, 0.3, 0.3]])
    # 0.6 / ((0.2 + 0.1) / 2) = 4, and 0.3 / ((0.1 + 0.3) / 2) = 1.5
    np.testing.assert_allclose(lead(scores, np.array([0, 2])), np.log([4.0, 1.5]), rtol=1e-14)


def test_a_label_that_the_scorer_does_not_know_is_as_if_it_were_not_there() -> None:
    with_it, without = np.array([[1.0, -np.inf, 0.2, 0.5]]), np.array([[1.0, 0.2, 0.5]])
    assert lead(with_it, np.array([0])) == pytest.approx(lead(without, np.array([0])), abs=1e-15)


@given(st.lists(st.floats(-300, 300), min_size=2, max_size=6), st.floats(-1e3, 1e3))
def test_the_lead_is_the_detection_ratio_and_knows_no_constant(scores: list[float], constant: float) -> None:
    row = np.array(scores)
    found = lead(row, np.array(1))
    assert found == pytest.approx(detection_llrs(row[None])[0, 1], abs=1e-9)
    assert lead(row + constant, np.array(1)) == pytest.approx(float(found), abs=1e-9)


@pytest.mark.parametrize(
    ("values", "weight", "share", "expected"),
    [
        ([1, 2, 3, 4], [1, 1, 1, 1], 0.25, 4.0),
        ([1, 2, 3, 4], [1, 1, 1, 1], 0.5, 3.0),
        ([1, 2, 3, 4], [1, 1, 3, 1], 0.5, 4.0),  # 3 and 4 together hold 2/3
        ([1, 2, 4, 4], [1, 1, 1, 1], 0.5, 4.0),  # equal ones are let through together
        ([4, 1, 4, 2], [1, 1, 1, 1], 0.5, 4.0),
        ([1, 2, 3, 4], [1, 1, 1, 1], 0.2, np.nextafter(4, 5)),  # not even one of four
    ],
)
def test_quantiles_by_hand(values: list, weight: list, share: float, expected: float) -> None:
    assert upper_quantile(np.array(values, float), np.array(weight, float), share) == expected


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.floats(0.01, 0.99))
def test_no_more_than_the_share_reaches_the_quantile(values: list[float], share: float) -> None:
    row = np.array(values)
    assert np.mean(row >= upper_quantile(row, np.ones(len(row)), share)) <= share + 1e-9


def test_new_unknown_clips_are_accepted_as_often_as_was_said() -> None:
    outside = normal_clips(4000, 0.0, 1, own=False)
    gate = fit_gate(PLAIN, normal_clips(4000, 4.0, 2), outside, 0.05)
    new = best_leads(PLAIN, normal_clips(40_000, 0.0, 3, own=False)) >= gate.threshold
    assert new.mean() == pytest.approx(0.05, abs=0.012)  # three standard errors of the 4000 that set the threshold
    assert gate.accepted == pytest.approx(0.05, abs=0.012)
    assert gate.accepted_low < 0.05 < gate.accepted_high
    known = best_leads(PLAIN, normal_clips(40_000, 4.0, 4)) < gate.threshold
    assert gate.refused == pytest.approx(known.mean(), abs=0.02)
    assert gate.refused_low < known.mean() < gate.refused_high
    assert (gate.outsiders, gate.insiders) == (4000, 4000)


def test_refusals_are_those_of_whole_clips() -> None:
    """Of each clip a second piece, of which nothing is known: it must not count."""
    one, more = normal_clips(500, 4.0, 5), normal_clips(500, 0.0, 6)
    both = HeldOut(
        np.concatenate([one.truth, more.truth]), np.concatenate([one.scores, more.scores]), np.full(1000, 100),
        np.ones(1000), np.concatenate([one.clip, more.clip]), [*one.group, *more.group],
    )  # fmt: skip
    outside = normal_clips(500, 0.0, 7, own=False)
    whole, mixed = fit_gate(PLAIN, one, outside), fit_gate(PLAIN, both, outside)
    assert mixed == whole
    assert mixed.insiders == 500


def test_labels_weigh_the_same_whatever_their_clips() -> None:
    """Label 0, whose clips lead by more, comes once or five times: the threshold stays where it is."""
    once = normal_clips(1000, 0.0, 9, own=False)
    once.scores[once.truth == 0] *= 2.0
    rows = np.concatenate([np.arange(1000), np.repeat(np.flatnonzero(once.truth == 0), 4)])
    often = HeldOut(
        once.truth[rows], once.scores[rows], once.frames[rows], once.weight[rows], np.arange(len(rows)),
        [once.group[i] for i in rows],
    )  # fmt: skip
    inside = normal_clips(500, 3.0, 10)
    assert fit_gate(PLAIN, inside, often).threshold == fit_gate(PLAIN, inside, once).threshold


def test_clips_of_one_voice_are_no_independent_witnesses() -> None:
    """One voice of ten is refused altogether: the interval must reckon with voices, not with clips."""
    inside, outside = normal_clips(500, 6.0, 11), normal_clips(500, 0.0, 12, own=False)
    inside.scores[[group == "g0" for group in inside.group]] = 0.0
    by_voice = fit_gate(PLAIN, inside, outside)
    by_clip = fit_gate(PLAIN, replace(inside, group=[None] * 500), outside)
    assert by_voice.refused == by_clip.refused
    assert by_voice.refused_high - by_voice.refused_low > 3 * (by_clip.refused_high - by_clip.refused_low)


def test_the_threshold_gives_way_with_the_rate_that_is_allowed() -> None:
    inside, outside = normal_clips(500, 3.0, 5), normal_clips(500, 0.0, 6, own=False)
    gates = [fit_gate(PLAIN, inside, outside, rate) for rate in (0.01, 0.05, 0.2)]
    assert gates[0].threshold > gates[1].threshold > gates[2].threshold
    assert gates[0].refused > gates[2].refused


def test_a_label_that_lets_more_through_than_the_others_foretell_shows_in_the_rate() -> None:
    """Clips of label 0 resemble label 1 far more than the threshold that the other four set expects."""
    outside = normal_clips(1000, 0.0, 7, own=False)
    outside.scores[outside.truth == 0, 1] += 50.0
    gate = fit_gate(PLAIN, normal_clips(1000, 3.0, 8), outside, 0.05)
    # All of label 0 passes the others' threshold. Each of the others is judged by one that these clips set, so high
    # that nothing passes.
    assert gate.accepted == pytest.approx(0.2, abs=1e-9)


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, float("nan")])
def test_a_rate_that_makes_no_sense(rate: float) -> None:
    with pytest.raises(DataError, match="lies between 0 and 1"):
        fit_gate(PLAIN, normal_clips(50, 3.0, 1), normal_clips(50, 0.0, 2, own=False), rate)


def test_the_gate_in_words() -> None:
    expected = (
        "unknown below a lead of 1.50 nats, set to accept 5.0 % of unknown clips: of labels held out 6.0 % were"
        " accepted (95 % interval 3.0 % to 10.0 %; 400 pieces), of whole clips of known labels 8.0 % were refused"
        " (5.0 % to 12.0 %; 500 clips)"
    )
    assert GATE.summary == expected


def test_a_label_called_unknown_is_refused() -> None:
    with pytest.raises(DataError, match="leave these clips out") as caught:
        refuse_reserved(["cat", "unknown"])
    assert caught.value.code == "reserved_label"


def test_back_from_plain_values() -> None:
    assert gate_from(json.loads(json.dumps(GATE.as_dict(), allow_nan=False))) == GATE


@pytest.mark.parametrize("name", list(GATE.as_dict()))
@pytest.mark.parametrize(
    "value", [None, "1", True, float("nan"), float("-inf"), 10**400, [0.1]], ids=lambda v: str(v)[:9]
)
def test_hostile_values_are_refused(name: str, value: object) -> None:
    with pytest.raises(Broken, match=f"gate's {name}"):
        gate_from({**GATE.as_dict(), name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("accepted", 0.2), ("accepted_low", 0.07), ("refused_high", 0.01), ("false_accept", 1)]
)
def test_values_that_contradict_each_other_are_refused(name: str, value: float) -> None:
    with pytest.raises(Broken, match=f"gate's {name.partition('_')[0]}"):
        gate_from({**GATE.as_dict(), name: value})


@pytest.mark.parametrize("values", [None, [], {}, {**GATE.as_dict(), "more": 1}, {"threshold": 1.0}])
def test_what_is_no_gate_at_all(values: object) -> None:
    with pytest.raises(Broken, match="gate"):
        gate_from(values)
