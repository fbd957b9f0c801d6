"""The gate of "unknown": leads by hand, thresholds by hand and in closed form, costs on made clips, hostile files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from gmmaudio.classify.calibrate import Calibration
from gmmaudio.classify.calibration_fit import HeldOut
from gmmaudio.classify.gate import Gate, Level, gate_from, lead, refuse_reserved
from gmmaudio.classify.gate_fit import best_leads, by_duration, fit_gate, least_clips, scarce_durations, upper_quantile
from gmmaudio.errors import DataError
from gmmaudio.measures.multiclass import detection_llrs
from gmmaudio.tensors import Broken

SECOND = Level(1.0, 100, 1.5, 0.06, 0.03, 0.1, 0.3, 0.2, 0.4, 400, 1500)
MINUTE = Level(60.0, 6400, 4.5, 0.05, 0.02, 0.09, 0.02, 0.01, 0.05, 200, 500)
GATE = Gate(0.05, (SECOND, MINUTE))
PLAIN = Calibration(1.0, 1e-9, (0.0,) * 5, (0.0,) * 5, 1, 1, 0)  # scores as they are, for any number of frames
OF_THREE = replace(PLAIN, long=(0.0,) * 3, short=(0.0,) * 3)


def normal_clips(count: int, strength: float, seed: int, own: bool = True) -> HeldOut:
    """Clips of five labels, of ten groups; the true label's score is normal about ``strength``, the others about 0."""
    draw = np.random.default_rng(seed)
    truth = np.arange(count) % 5
    scores = draw.normal(size=(count, 5)) + strength * np.eye(5)[truth]
    if not own:
        scores[np.arange(count), truth] = -np.inf
    groups = [f"g{i // 5 % 10}" for i in range(count)]
    return HeldOut(truth, scores, np.full(count, 100), np.ones(count), np.arange(count), groups, np.ones(count))


def joined(*parts: HeldOut) -> HeldOut:
    """Pieces of the same clips: those of one number are of one clip."""
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("truth", "scores", "frames", "weight", "clip", "seconds")
    }
    return HeldOut(**arrays, group=[group for part in parts for group in part.group])


def lasting(found: HeldOut, seconds: float) -> HeldOut:
    """The same clips, as if each lasted so long, at a hundred frames a second."""
    count = len(found.truth)
    return replace(found, seconds=np.full(count, seconds), frames=np.full(count, round(100 * seconds)))


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
    (level,) = gate.levels
    new = best_leads(PLAIN, normal_clips(40_000, 0.0, 3, own=False)) >= level.threshold
    assert new.mean() == pytest.approx(0.05, abs=0.012)  # three standard errors of the 4000 that set the threshold
    assert level.accepted == pytest.approx(0.05, abs=0.012)
    assert level.accepted_low < 0.05 < level.accepted_high
    known = best_leads(PLAIN, normal_clips(40_000, 4.0, 4)) < level.threshold
    assert level.refused == pytest.approx(known.mean(), abs=0.02)
    assert level.refused_low < known.mean() < level.refused_high
    assert (level.outsiders, level.insiders) == (4000, 4000)


SPREADS = {1.0: 1.0, 3.0: 2.0, 10.0: 3.0}  # by seconds: what the scores of three labels spread by


def two_sided(count: int, strength: float, seconds: float, seed: int, own: bool) -> HeldOut:
    """Clips of three labels whose lead has a normal's absolute value for its distribution.

    Unknown clips have two scores, normal and independent: the lead, their distance, is |N(0, 2 spread^2)|. Known ones
    have one that is normal about ``strength``, another of 0, and one out of the way: of the two, the better leads the
    mean likelihood of the others by |N(strength, spread^2)| + log 2.
    """
    draw = np.random.default_rng([seed, round(seconds)])
    truth, spread = np.arange(count) % 3, SPREADS[seconds]
    scores, rows = np.zeros((count, 3)), np.arange(count)
    if own:
        scores[rows, truth] = draw.normal(strength, spread, count)
        scores[rows, (truth + 1) % 3] = -1e6
    else:
        scores += draw.normal(0, spread, (count, 3))
        scores[rows, truth] = -np.inf
    groups = [f"g{i // 3 % 10}" for i in range(count)]
    found = HeldOut(truth, scores, np.zeros(count, int), np.ones(count), rows, groups, np.zeros(count))
    return lasting(found, seconds)


def test_every_duration_has_a_threshold_of_its_own_in_closed_form() -> None:
    count = 9000
    outside = joined(*(two_sided(count, 0.0, seconds, 1, own=False) for seconds in SPREADS))
    inside = joined(*(two_sided(count, 10.0, seconds, 2, own=True) for seconds in SPREADS))
    gate = fit_gate(OF_THREE, inside, outside, 0.05)
    assert [(level.seconds, level.frames) for level in gate.levels] == [(1.0, 100), (3.0, 300), (10.0, 1000)]
    for level, spread in zip(gate.levels, SPREADS.values(), strict=True):
        # 5 % of |N(0, 2 spread^2)| lie above 1.96 standard deviations. Three standard errors of a quantile are
        # 3 sqrt(0.05 x 0.95 / 9000) / density, and the density there, of both tails, is 0.1169 per standard deviation.
        deviation = np.sqrt(2) * spread
        assert level.threshold == pytest.approx(norm.ppf(0.975) * deviation, abs=0.0069 / 0.1169 * deviation)
        edge = level.threshold - np.log(2)
        refused = norm(10.0, spread).cdf(edge) - norm(10.0, spread).cdf(-edge)
        assert level.refused == pytest.approx(refused, abs=3 * np.sqrt(0.25 / count))
        assert level.accepted == pytest.approx(0.05, abs=0.01)
        assert (level.outsiders, level.insiders) == (count, count)
        assert level.accepted_low < level.accepted < level.accepted_high
        assert level.refused_low <= level.refused <= level.refused_high


def test_one_threshold_for_all_durations_would_not_do() -> None:
    """What it is for: of new unknown clips of each duration as many are accepted, where one threshold is far off."""
    parts = [two_sided(3000, 0.0, seconds, 3, own=False) for seconds in SPREADS]
    inside = joined(*(two_sided(300, 10.0, seconds, 4, own=True) for seconds in SPREADS))
    gate = fit_gate(OF_THREE, inside, joined(*parts), 0.05)
    single = upper_quantile(best_leads(OF_THREE, joined(*parts)), np.ones(9000), 0.05)
    for seconds in SPREADS:
        new = two_sided(30_000, 0.0, seconds, 5, own=False)
        leads = best_leads(OF_THREE, new)
        assert np.mean(leads >= gate.threshold(new.frames)) == pytest.approx(0.05, abs=0.012)
        # |N(0, 2)|, |N(0, 8)| and |N(0, 18)| reach the 5 % point of the three together, 6.47, with 0.00, 0.02 and 0.13.
        assert abs(np.mean(leads >= single) - 0.05) > (0.04 if seconds != 3.0 else 0.01)


def test_between_durations_the_threshold_is_linear_in_the_logarithm_and_beyond_them_constant() -> None:
    # 800 is the geometric mean of 100 and 6400, and 400 a third of the way: 6400 / 100 = 4^3
    frames = np.array([1, 100, 400, 800, 6400, 10**9])
    np.testing.assert_allclose(GATE.threshold(frames), [1.5, 1.5, 2.5, 3.0, 4.5, 4.5], rtol=1e-12)
    np.testing.assert_allclose(GATE.refused(frames), [0.3, 0.3, 0.3 - 0.28 / 3, 0.16, 0.02, 0.02], rtol=1e-12)
    assert [GATE.bearable(int(n)) for n in frames] == [False, False, False, False, True, True]
    assert [GATE.too_short(int(n)) for n in frames] == [True, True, True, True, False, False]
    nowhere = Gate(0.05, (SECOND, replace(MINUTE, refused=0.11)))
    assert not nowhere.too_short(100)  # no duration would do


def test_an_answer_is_given_from_the_threshold_of_its_frames_on() -> None:
    scores = np.array([3.0, 0.0, 0.0])
    assert [GATE.accepts(scores, 0, n) for n in (100, 799, 801)] == [True, True, False]


def test_pieces_go_with_their_duration_and_few_with_the_nearest() -> None:
    def clips(count: int, seconds: float) -> HeldOut:
        return lasting(normal_clips(count, 0.0, 1), seconds)

    found = joined(clips(40, 1.0), clips(40, 1.05), clips(10, 2.0), clips(40, 9.6), clips(40, 10.0), clips(3, 90.0))
    short, long = by_duration(found, found, 20)
    assert (short.seconds, short.frames, short.outside.sum()) == (1.05, 105, 90)  # 2 s: few, and nearer to 1 than to 10
    assert (long.frames, long.outside.sum()) == (1000, 83)
    assert not (short.outside & long.outside).any()
    np.testing.assert_array_equal(short.inside, short.outside)


def test_where_no_duration_has_enough_clips_all_go_together() -> None:
    few = joined(*(lasting(normal_clips(10, 0.0, 1), seconds) for seconds in (1.0, 10.0)))
    (part,) = by_duration(few, few, 20)
    assert part.inside.sum() == part.outside.sum() == 20


def test_a_duration_of_one_label_only_goes_with_the_nearest() -> None:
    many, one = normal_clips(100, 0.0, 1), lasting(normal_clips(100, 0.0, 2), 10.0)
    (part,) = by_duration(found := joined(many, replace(one, truth=np.zeros(100, int))), found, 20)
    assert part.outside.sum() == 200


def test_durations_of_too_few_unknown_clips_are_named() -> None:
    def clips(count: int, seconds: float) -> HeldOut:
        return lasting(normal_clips(count, 0.0, 1), seconds)

    assert least_clips(0.05) == 20  # of 20 clips 5 % are one
    one_label = replace(clips(40, 30.0), truth=np.zeros(40, int))
    some = joined(clips(20, 1.0), clips(19, 3.0), clips(20, 10.0), one_label)
    assert scarce_durations(some, 20) == [3.0, 30.0]
    assert scarce_durations(joined(clips(20, 1.0), clips(20, 10.0)), 20) == []
    assert scarce_durations(joined(clips(10, 1.0), clips(10, 10.0)), 20) == [1.0, 10.0]
    assert scarce_durations(clips(10, 1.0), 20) == []  # there is no other duration


def test_longer_clips_with_no_more_frames_are_not_told_apart() -> None:
    one = normal_clips(100, 0.0, 1)
    (part,) = by_duration(found := joined(one, replace(one, seconds=np.full(100, 10.0))), found, 20)
    assert part.frames == 100


def test_a_duration_without_more_frames_goes_with_the_nearest_and_the_others_keep_their_thresholds() -> None:
    few, many = normal_clips(40, 0.0, 1), normal_clips(100, 0.0, 1)
    good = [lasting(many, seconds) for seconds in (1.0, 3.0, 10.0, 30.0)]
    longest = replace(lasting(many, 60.0), frames=np.full(100, 2990))
    parts = by_duration(found := joined(*good, longest), found, 20)
    assert [part.outside.sum() for part in parts] == [100, 100, 100, 200]
    assert [part.frames for part in parts] == [100, 300, 1000, 2995]  # the last: the median of 2990 and 3000

    odd = replace(lasting(few, 1.0), frames=np.full(40, 5000))  # the shortest, and the rarest, is the one to go
    parts = by_duration(found := joined(odd, *good[1:]), found, 20)
    assert [part.outside.sum() for part in parts] == [140, 100, 100]
    assert [part.frames for part in parts] == [300, 1000, 3000]
    assert sum(part.inside.sum() for part in parts) == 340


def test_a_gate_of_one_level_is_told_of_any_duration() -> None:
    assert list(Gate(0.05, (SECOND,)).summary) == ["any duration"]
    assert list(Gate(0.05, (replace(SECOND, seconds=0.0), MINUTE)).summary) == [
        "0 s (100 frames)",
        "60 s (6400 frames)",
    ]


def test_pieces_of_a_clip_that_was_cut_often_weigh_as_one() -> None:
    """Each clip's piece three times over at a third of the weight: nothing but the counts changes."""
    one, inside = normal_clips(500, 0.0, 7, own=False), normal_clips(500, 4.0, 5)
    thrice = [replace(found, weight=np.full(500, 1 / 3)) for found in (one, inside)]
    plain, cut = fit_gate(PLAIN, inside, one), fit_gate(PLAIN, joined(*[thrice[1]] * 3), joined(*[thrice[0]] * 3))
    for level, same in zip(plain.levels, cut.levels, strict=True):
        assert same.threshold == level.threshold
        assert (same.accepted, same.refused) == pytest.approx((level.accepted, level.refused), abs=1e-12)
        assert same.insiders == 3 * level.insiders


def test_labels_weigh_the_same_whatever_their_clips() -> None:
    """Label 0, whose clips lead by more, comes once or five times: the threshold stays where it is."""
    once = normal_clips(1000, 0.0, 9, own=False)
    once.scores[once.truth == 0] *= 2.0
    rows = np.concatenate([np.arange(1000), np.repeat(np.flatnonzero(once.truth == 0), 4)])
    often = HeldOut(
        once.truth[rows], once.scores[rows], once.frames[rows], once.weight[rows], np.arange(len(rows)),
        [once.group[i] for i in rows], once.seconds[rows],
    )  # fmt: skip
    inside = normal_clips(500, 3.0, 10)
    assert fit_gate(PLAIN, inside, often).threshold(100) == fit_gate(PLAIN, inside, once).threshold(100)


def test_clips_of_one_voice_are_no_independent_witnesses() -> None:
    """One voice of ten is refused altogether: the interval must reckon with voices, not with clips."""
    inside, outside = normal_clips(500, 6.0, 11), normal_clips(500, 0.0, 12, own=False)
    inside.scores[[group == "g0" for group in inside.group]] = 0.0
    (by_voice,) = fit_gate(PLAIN, inside, outside).levels
    (by_clip,) = fit_gate(PLAIN, replace(inside, group=[None] * 500), outside).levels
    assert by_voice.refused == by_clip.refused
    assert by_voice.refused_high - by_voice.refused_low > 3 * (by_clip.refused_high - by_clip.refused_low)


def test_the_threshold_gives_way_with_the_rate_that_is_allowed() -> None:
    inside, outside = normal_clips(500, 3.0, 5), normal_clips(500, 0.0, 6, own=False)
    gates = [fit_gate(PLAIN, inside, outside, rate) for rate in (0.01, 0.05, 0.2)]
    levels = [gate.levels[0] for gate in gates]
    assert levels[0].threshold > levels[1].threshold > levels[2].threshold
    assert levels[0].refused > levels[2].refused


def test_a_label_that_lets_more_through_than_the_others_foretell_shows_in_the_rate() -> None:
    """Clips of label 0 resemble label 1 far more than the threshold that the other four set expects."""
    outside = normal_clips(1000, 0.0, 7, own=False)
    outside.scores[outside.truth == 0, 1] += 50.0
    gate = fit_gate(PLAIN, normal_clips(1000, 3.0, 8), outside, 0.05)
    # All of label 0 passes the others' threshold. Each of the others is judged by one that these clips set, so high
    # that nothing passes.
    assert gate.levels[0].accepted == pytest.approx(0.2, abs=1e-9)


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, float("nan")])
def test_a_rate_that_makes_no_sense(rate: float) -> None:
    with pytest.raises(DataError, match="lies between 0 and 1"):
        fit_gate(PLAIN, normal_clips(50, 3.0, 1), normal_clips(50, 0.0, 2, own=False), rate)


def test_the_gate_in_words() -> None:
    assert GATE.summary == {
        "1 s (100 frames)": (
            "below a lead of 1.50 nats, set to accept 5.0 % of unknown clips: of labels held out 6.0 % were accepted"
            " (95 % interval 3.0 % to 10.0 %; 400 pieces), of known labels 30.0 % were refused (20.0 % to 40.0 %;"
            " 1500 pieces); too many, so that nothing is answered unknown there unless asked for"
        ),
        "60 s (6400 frames)": (
            "below a lead of 4.50 nats, set to accept 5.0 % of unknown clips: of labels held out 5.0 % were accepted"
            " (95 % interval 2.0 % to 9.0 %; 200 pieces), of known labels 2.0 % were refused (1.0 % to 5.0 %;"
            " 500 pieces); used"
        ),
    }


def test_a_label_called_unknown_is_refused() -> None:
    with pytest.raises(DataError, match="leave these clips out") as caught:
        refuse_reserved(["cat", "unknown"])
    assert caught.value.code == "reserved_label"


def test_back_from_plain_values() -> None:
    assert gate_from(json.loads(json.dumps(GATE.as_dict(), allow_nan=False))) == GATE


def test_a_gate_of_one_threshold_as_it_once_was_is_read() -> None:
    figures = {"accepted": 0.06, "accepted_low": 0.03, "accepted_high": 0.1, "refused": 0.08, "refused_low": 0.05}
    counts = {"refused_high": 0.12, "outsiders": 400, "insiders": 500}
    gate = gate_from({"threshold": 1.5, "false_accept": 0.05, **figures, **counts})
    assert gate.false_accept == 0.05
    np.testing.assert_array_equal(gate.threshold(np.array([1, 100, 10_000])), 1.5)
    assert gate.bearable(1)
    assert list(gate.summary) == ["any duration"]
    assert gate_from(json.loads(json.dumps(gate.as_dict()))) == gate


HOSTILE = pytest.mark.parametrize(
    "value", [None, "1", True, float("nan"), float("-inf"), 10**400, [0.1]], ids=lambda v: str(v)[:9]
)


@pytest.mark.parametrize("name", list(GATE.as_dict()))
@HOSTILE
def test_hostile_values_are_refused(name: str, value: object) -> None:
    with pytest.raises(Broken, match=f"gate's {name}|the gate is not a table"):
        gate_from({**GATE.as_dict(), name: value})


@pytest.mark.parametrize("name", list(GATE.as_dict()["levels"][0]))
@HOSTILE
def test_hostile_values_of_a_duration_are_refused(name: str, value: object) -> None:
    first, second = GATE.as_dict()["levels"]
    with pytest.raises(Broken, match=f"gate's {name}"):
        gate_from({"false_accept": 0.05, "levels": [first, {**second, name: value}]})


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        ([], "list of 1 to"),
        ({}, "list of 1 to"),
        ([GATE.as_dict()["levels"][0]] * 2, "must increase"),
        (GATE.as_dict()["levels"][::-1], "must increase"),
        ([GATE.as_dict()["levels"][0] | {"seconds": -1.0}], "seconds must not be negative"),
        ([GATE.as_dict()["levels"][0] | {"more": 1}], "must have accepted"),
        ([GATE.as_dict()["levels"][0] | {"frames": i + 1} for i in range(101)], "list of 1 to"),
    ],
)
def test_durations_that_make_no_sense(levels: object, why: str) -> None:
    with pytest.raises(Broken, match=why):
        gate_from({"false_accept": 0.05, "levels": levels})


@pytest.mark.parametrize(("name", "value"), [("accepted", 0.99), ("accepted_low", 0.98), ("refused_high", 0.0)])
def test_values_that_contradict_each_other_are_refused(name: str, value: float) -> None:
    first, second = GATE.as_dict()["levels"]
    with pytest.raises(Broken, match=f"gate's {name.partition('_')[0]}"):
        gate_from({"false_accept": 0.05, "levels": [first, {**second, name: value}]})


@pytest.mark.parametrize("share", [0, 1])
def test_a_false_accept_rate_lies_between_none_and_all(share: float) -> None:
    with pytest.raises(Broken, match="gate's false_accept"):
        gate_from({**GATE.as_dict(), "false_accept": share})


@pytest.mark.parametrize("values", [None, [], {}, {**GATE.as_dict(), "more": 1}, {"threshold": 1.0}])
def test_what_is_no_gate_at_all(values: object) -> None:
    with pytest.raises(Broken, match="gate"):
        gate_from(values)
