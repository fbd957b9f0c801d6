"""Each label as a detector: by hand, against scikit-learn, and that the headlines are their means."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss

from gmmaudio.classify.classifier import Decision
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.label_figures import PER_LABEL
from gmmaudio.evaluate.page import Context, html_page
from gmmaudio.measures.intervals import wilson
from tests.test_durations import LABELS, predictions
from tests.test_report import rows_of

#         truth  posteriors of cat, dog and emu
BY_HAND = [("cat", 0.8, 0.1, 0.1), ("cat", 0.2, 0.6, 0.2), ("dog", 0.1, 0.8, 0.1), ("emu", 0.25, 0.25, 0.5)]


def said(rows: list[tuple], groups: str = "") -> Evaluation:  # type: ignore[type-arg]
    clips = []
    for i, (truth, *row) in enumerate(rows):
        table = dict(zip(LABELS, row, strict=True))
        label = max(table, key=lambda name: table[name])
        decision = Decision(label, table, table, "logit", 0.1, 1.0, 1.0, calibrated=True)
        clips.append(Prediction(f"{i}.wav", truth, label, groups[i : i + 1] or None, 1.0, decision=decision))
    return Evaluation(clips, LABELS)


def test_by_hand() -> None:
    found = said(BY_HAND).label_figures
    # A likelihood above the mean of the others is a posterior above 1/3: cat, dog, dog and emu are accepted.
    errors = {label: [found[label][name].value for name in PER_LABEL[2:]] for label in LABELS}  # type: ignore[union-attr]
    assert errors == {"cat": [0, 1 / 2], "dog": [(1 / 2 + 0) / 2, 0], "emu": [0, 0]}
    # Odds against the mean of the others are 2 p / (1 - p). Bits of cat: its own clips 1 + 1/8 and 1 + 2; dog's clip
    # 1 + 2/9, emu's 1 + 2/3.
    own, others = np.log2([1 + 1 / 8, 1 + 2]).mean(), np.log2([1 + 2 / 9, 1 + 2 / 3]).mean()
    assert found["cat"]["cllr"].value == pytest.approx((own + others) / 2, abs=1e-12)  # type: ignore[union-attr]
    # Leads of cat by log posterior: log 8 and log 1/3 on its own clips, log 1/8 and log 1/2 on the others. In falling
    # order t o t o: hull (0, 1/2), (1/2, 0) meets at 1/4. Emu's clip leads by log 2, all others lie below.
    rates = [found[label]["equal_error_rate"].value for label in LABELS]  # type: ignore[union-attr]
    assert rates == pytest.approx([1 / 4, 0, 0], abs=1e-12)


def test_rejects_are_wilson_s_of_the_label_s_own_clips() -> None:
    sure = said(BY_HAND).label_figures["cat"]["false_rejects"].sure  # type: ignore[union-attr]
    assert sure is not None
    assert ((sure.low, sure.high), sure.clips, sure.method) == (wilson(1, 2), 2, "Wilson over clips")


def test_headlines_are_means_of_the_columns_whatever_the_numbers_of_clips() -> None:
    clips = [clip for i, clip in enumerate(predictions(400)) if clip.truth != "emu" or i % 5 == 0]
    found = Evaluation(clips, LABELS)
    rows = found.label_figures.values()
    column = {name: np.array([row[name].value for row in rows]) for name in PER_LABEL}  # type: ignore[union-attr]
    assert column["cllr"].mean() == pytest.approx(found.posterior_figures["cllr"].value, abs=1e-12)
    cavg = (column["false_accepts"] + column["false_rejects"]) / 2
    assert cavg.mean() == pytest.approx(found.posterior_figures["cavg"].value, abs=1e-12)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_cllr_is_scikit_learn_s_log_loss(place: int) -> None:
    clips = predictions(300, seed=4)
    posteriors = np.array([[clip.decision.posteriors[label] for label in LABELS] for clip in clips])  # type: ignore[union-attr]
    truth = np.array([LABELS.index(clip.truth) for clip in clips])
    odds = 2 * posteriors[:, place] / (1 - posteriors[:, place])
    counts = np.bincount(truth)
    weight = np.where(truth == place, 1 / counts[place], 1 / 2 / counts[truth])
    expected = log_loss(truth == place, odds / (1 + odds), sample_weight=weight) / np.log(2)
    found = Evaluation(clips, LABELS).label_figures[LABELS[place]]["cllr"]
    assert found is not None
    assert found.value == pytest.approx(expected, abs=1e-9)


def test_a_clip_of_another_label_counts_in_the_equal_error_rate_alone() -> None:
    more = said([*BY_HAND, ("yak", 0.98, 0.01, 0.01)]).label_figures
    plain = said(BY_HAND).label_figures
    for label in LABELS:
        assert {name: more[label][name] for name in PER_LABEL[1:]} == {
            name: plain[label][name] for name in PER_LABEL[1:]
        }
    # Of cat's trials yak's now leads by most: o t o t o with 1/3 steps; the hull (1/3, 1/2), (2/3, 0) and (0, 1)
    # has (0, 1), (2/3, 0): alarm a, miss 1 - 3 a / 2 meets at 2/5.
    assert more["cat"]["equal_error_rate"].value == pytest.approx(2 / 5)  # type: ignore[union-attr]


def test_a_label_without_clips_has_no_figures() -> None:
    plain = json.loads(json.dumps(said(BY_HAND[:3]).as_dict(), allow_nan=False))["per_class"]
    assert {name: plain["emu"][name] for name in PER_LABEL} == dict.fromkeys(PER_LABEL)
    assert plain["emu"]["cllr_interval"] is None
    assert plain["dog"]["false_accepts"] == 1 / 2
    text = said(BY_HAND[:3]).as_text()
    assert re.search(r"^emu +- +- +- +-$", text, re.MULTILINE)


def test_text_json_and_page_say_the_same() -> None:
    found = Evaluation(predictions(200), LABELS)
    plain = found.as_dict()["per_class"]
    table = found.as_text().split("false rejects, %\n", 1)[1].splitlines()[:3]
    page = rows_of(html_page(found, Context()).split("Label by label, as detectors", 1)[1], "sortable")
    for label, line, row in zip(LABELS, table, page, strict=True):
        cells = re.split(r"  +", line)
        assert cells == row
        assert cells[0] == label
        for name, cell in zip(PER_LABEL, cells[1:], strict=True):
            scale, digits = (1, 3) if name == "cllr" else (100, 1)
            low, high = plain[label][f"{name}_interval"]
            assert re.fullmatch(r"([\d.]+) \(([\d.]+)-([\d.]+) [btw]\)", cell)
            assert [float(part) for part in re.findall(r"[\d.]+", cell)] == [
                round(scale * value, digits) for value in (plain[label][name], low, high)
            ]


def test_uncalibrated_posteriors_are_said_to_be_so() -> None:
    clips = [replace(c, decision=replace(c.decision, calibrated=False)) for c in predictions(60)]  # type: ignore[type-var]
    lines = Evaluation(clips, LABELS).as_text().splitlines()
    assert "detection: each label against the others; posteriors not calibrated" in lines
