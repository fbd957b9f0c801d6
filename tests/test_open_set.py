"""Clips labelled unknown: the figures by hand, through the command line, and that they leave the others alone."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from gmmaudio.classify.classifier import Decision
from gmmaudio.classify.gate import Gate, Level
from gmmaudio.classify.model_file import load
from gmmaudio.classify.train import Trained
from gmmaudio.cli import main
from gmmaudio.corpus.manifest import in_split, read_corpus
from gmmaudio.evaluate.durations import Durations
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.heldout import evaluate
from gmmaudio.evaluate.open_set import OpenSet, asked, divided
from gmmaudio.evaluate.page import Context, html_page
from gmmaudio.measures.intervals import wilson
from tests.test_report import Reader, rows_of
from tests.test_sure_figure import METHOD, figures

Capture = pytest.CaptureFixture[str]

LABELS = ["cat", "dog", "emu"]
#        truth, posteriors, refused; the lead is the odds against the mean of the others
KNOWN = [("cat", (0.8, 0.1, 0.1), False), ("dog", (0.1, 0.6, 0.3), False), ("cat", (0.4, 0.3, 0.3), True)]  # 8, 3, 4/3
UNKNOWN = [("unknown", (0.5, 0.25, 0.25), False), ("unknown", (0.34, 0.33, 0.33), True)]  # 2, 34/33


def clips(rows: Sequence[tuple[str, tuple[float, ...], bool]]) -> list[Prediction]:
    made = []
    for i, (truth, row, refused) in enumerate(rows):
        said = dict(zip(LABELS, row, strict=True))
        label = None if refused else max(said, key=lambda name: said[name])
        decision = Decision(label, said, said, "logit", 0.1, 1.0, 1.0, calibrated=True)
        made.append(Prediction(f"{truth}{i}.wav", truth, label, f"{truth}{i}", 1.0, decision=decision))
    return made


def open_set(**changes: Any) -> OpenSet:
    return replace(OpenSet(clips(KNOWN), clips(UNKNOWN), LABELS, gated=True, unasked="every"), **changes)


def test_by_hand() -> None:
    found = {name: figure.value for name, figure in open_set().figures.items() if figure is not None}
    assert found["false_accepts"] == 1 / 2
    assert found["false_rejects"] == 1 / 3
    # Of six pairs 8 and 3 win both, 4/3 one.
    assert found["auc"] == pytest.approx(5 / 6, abs=1e-15)
    # Falling: known, known, unknown, known, unknown: the hull's (0, 1/3), (1/2, 0) meets at 1/5.
    assert found["equal_error_rate"] == pytest.approx(1 / 5, abs=1e-15)
    # Accepted: the first as cat, the second as dog, the third refused; of the unknown one of two as cat. No clip is
    # of emu. C(cat) = 0.5 x 1/2 + 0.3 x 0 + 0.2 x 1/2, C(dog) = 0 (NIST's P_target, P_nontarget, P_out_of_set).
    assert found["cavg"] == pytest.approx((0.25 + 0.1) / 2, abs=1e-15)


def test_leads_are_of_the_likeliest_label_known_clips_first() -> None:
    np.testing.assert_allclose(open_set().leads, np.log([8, 3, 4 / 3, 2, 34 / 33]), rtol=1e-12)
    uncalibrated = [replace(c, decision=replace(c.decision, calibrated=False)) for c in clips(KNOWN)]  # type: ignore[type-var]
    # By scores, here the posteriors as they stand: 0.8 - log mean(e^0.1, e^0.1).
    assert open_set(known=uncalibrated).leads[0] == pytest.approx(0.7)


def test_a_model_without_a_gate_has_no_false_accepts_but_a_cost() -> None:
    found = open_set(gated=False)
    assert found.figures["false_accepts"] is found.figures["false_rejects"] is None
    assert found.figures["auc"] == open_set().figures["auc"]
    text = "\n".join(found.lines())
    assert "false accepts  " not in text
    assert "note: the model has not learned when to answer unknown" in text


@pytest.mark.parametrize(
    ("gated", "unasked", "note"),
    [
        (True, "every", ""),
        (True, "some", "only where it refuses few known clips"),
        (True, "no", "refuse too many known clips"),
        (False, "no", "not learned"),
    ],
)
def test_what_is_said_of_the_gate(gated: bool, unasked: str, note: str) -> None:
    found = open_set(gated=gated, unasked=unasked)
    assert (note in found.note) if note else not found.note


@pytest.mark.parametrize(
    ("refused", "unasked"), [((0.02, 0.1), "every"), ((0.3, 0.05), "some"), ((0.3, 0.11), "no"), ((), "no")]
)
def test_durations_at_which_score_refuses_unasked(refused: tuple[float, ...], unasked: str, trained: Trained) -> None:
    levels = tuple(Level(1.0, 98 * n, 1.0, 0.05, 0.0, 0.1, share, 0.0, 1.0, 9, 9) for n, share in enumerate(refused, 1))
    classifier = replace(trained.classifier, labels=tuple(LABELS), gate=Gate(0.05, levels) if levels else None)
    _, found = divided([*clips(KNOWN), *clips(UNKNOWN)], classifier)
    assert found is not None
    assert (found.unasked, found.gated) == (unasked, bool(levels))


def test_the_note_has_the_figures_as_score_answers_by_itself(trained: Trained) -> None:
    # Few known clips are refused at 500 frames, many at 100: of the two that the gate refuses, the known one has 100.
    levels = tuple(Level(1.0, n, 1.0, 0.05, 0.0, 0.1, share, 0.0, 1.0, 9, 9) for n, share in ((100, 0.3), (500, 0.02)))
    classifier = replace(trained.classifier, labels=tuple(LABELS), gate=Gate(0.05, levels))

    def note(known: int, unknown: int) -> str:
        told = [replace(clip, frames=known) for clip in clips(KNOWN)]
        _, found = divided([*told, *(replace(clip, frames=unknown) for clip in clips(UNKNOWN))], classifier)
        assert found is not None
        return found.note

    # One of three known clips, and one of two unknown, is refused by the gate.
    assert note(100, 500).endswith("; as score answers by itself: false accepts 50.0 %, false rejects 0.0 %")
    assert note(500, 100).endswith("; as score answers by itself: false accepts 100.0 %, false rejects 33.3 %")
    assert note(500, 500).endswith("known clips as long")  # as measured


def test_one_label_among_the_known_has_no_cost() -> None:
    found = open_set(known=clips(KNOWN[:1] + KNOWN[2:]))
    assert found.figures["cavg"] is None
    assert found.as_dict()["cavg"] is found.as_dict()["cavg_interval"] is None


def test_rates_rest_on_their_own_clips() -> None:
    plain = open_set(
        known=[replace(c, group=None) for c in clips(KNOWN)], unknown=[replace(c, group=None) for c in clips(UNKNOWN)]
    ).as_dict()
    assert plain["false_accepts_interval"] == list(wilson(1, 2))
    assert plain["false_rejects_interval"] == list(wilson(1, 3))
    assert (plain["false_accepts_clips"], plain["false_rejects_clips"], plain["auc_clips"]) == (2, 3, 5)
    assert [row["label"] for row in plain["predictions"]] == ["cat", "dog", None, "cat", None]
    assert [row["lead"] for row in plain["predictions"]] == pytest.approx(np.log([8, 3, 4 / 3, 2, 34 / 33]))


def drawn(count: int, groups: int) -> Evaluation:
    """Known clips about a strength of 1.5, unknown ones about 0; refused below a lead of 1."""
    draw, rows = np.random.default_rng(groups), []
    for i in range(count):
        scores = draw.normal(size=3) + (1.5 * np.eye(3)[i % 4] if i % 4 < 3 else 0)
        odds = np.exp(scores)
        lead = np.log(2 * odds.max() / (odds.sum() - odds.max()))
        rows.append(((*LABELS, "unknown")[i % 4], tuple(odds / odds.sum()), lead < 1))
    made = [replace(clip, group=f"g{i % groups}") for i, clip in enumerate(clips(rows))]
    known, unknown = ([c for c in made if (c.truth == "unknown") == held] for held in (False, True))
    found = OpenSet(known, unknown, LABELS, gated=True, unasked="every")
    return Evaluation([replace(c, label=c.label or "cat") for c in known], LABELS, open_set=found)


@pytest.mark.parametrize("groups", [1, 7, 25])
@pytest.mark.parametrize("durations", [False, True])
def test_every_figure_has_an_interval(groups: int, durations: bool) -> None:
    found = drawn(120, groups)
    shown = Durations({1.0: found, 3.0: found}) if durations else found
    plain = json.loads(json.dumps(shown.as_dict(), allow_nan=False))
    blocks = [row["open_set"] for row in plain["durations"]] if durations else [plain["open_set"]]
    for block in blocks:
        assert ("predictions" in block) == (not durations)
        seen = set()
        for name, value, row in figures(block):
            low, high = row[f"{name}_interval"]
            assert low <= value <= high
            assert low < high
            assert METHOD.fullmatch(row[f"{name}_interval_method"])
            assert row[f"{name}_groups"] == groups
            seen.add(name)
        assert seen == {"false_accepts", "false_rejects", "cavg", "auc", "equal_error_rate"}


def test_the_page_and_the_text_say_the_same() -> None:
    found = drawn(120, 7)
    page = html_page(found, Context()).split("<h2>Unknown clips</h2>", 1)[1]
    shown = dict(re.findall(r"<h3>([^<]*)</h3><b>([^<]*)</b>", page))
    text = found.as_text()
    assert "open set           30 clips labelled unknown, beside 90 of the model's labels" in text
    for title, name in (("false accepts", "false_accepts"), ("open-set Cavg", "cavg"), ("open-set AUC", "auc")):
        value = found.open_set.figures[name].value  # type: ignore[union-attr]
        assert shown[title] == (f"{100 * value:.1f} %" if name == "false_accepts" else f"{value:.3f}")
        assert re.search(rf"^{title} +{re.escape(shown[title])}  \(95 % interval ", text, re.MULTILINE)
    answers = dict(rows_of(page, "sortable"))
    assert sum(map(int, answers.values())) == 30
    assert int(answers["(refused)"]) == sum(clip.label is None for clip in found.open_set.unknown)  # type: ignore[union-attr]
    assert page.count('aria-label="DET curve: known clips refused') == 1
    assert "Unknown clips" not in html_page(replace(found, open_set=None), Context())
    assert "30 clips labelled unknown" in " ".join(Reader(html_page(found, Context())).texts)


@pytest.mark.parametrize(
    ("kind", "calibrated", "unit"),
    [("loglik", True, "nats of log posterior"), ("loglik", False, "nats per frame"), ("logit", False, "nominal nats")],
)
def test_the_page_says_what_leads_are_measured_in(kind: str, calibrated: bool, unit: str) -> None:
    def said(clip: Prediction) -> Prediction:
        return replace(clip, decision=replace(clip.decision, score_kind=kind, calibrated=calibrated))  # type: ignore[type-var]

    found = drawn(40, 7)
    assert found.open_set is not None
    known, unknown = ([said(clip) for clip in side] for side in (found.open_set.known, found.open_set.unknown))
    page = html_page(replace(found, open_set=replace(found.open_set, known=known, unknown=unknown)), Context())
    assert f"lead, {unit}<" in page.split("<h2>Unknown clips</h2>", 1)[1]


def test_durations_have_a_table_of_it() -> None:
    lines = Durations({1.0: drawn(120, 7)}).as_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "false accepts %" in line)
    figure = drawn(120, 7).open_set.figures["false_accepts"]  # type: ignore[union-attr]
    assert lines[at + 1].split()[:4] == ["1", "30", "90", f"{100 * figure.value:.1f}"]  # type: ignore[union-attr]
    assert max(map(len, lines)) <= 110
    bare = Durations({1.0: replace(drawn(120, 7), open_set=None)}).as_text()
    assert "false accepts" not in bare


# --- through the command line ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gated(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned what is unknown to it, in a folder with test.csv and open.csv."""
    folder = tmp_path_factory.mktemp("open")
    model = str(folder / "m.safetensors")
    flags = ["--preset", "speech", "--method", "supervector", "--components", "8", "-o", model]
    assert main(["train", str(corpus), "--split", "train", *flags]) == 0
    rows = [(e.path, e.label, e.group) for e in in_split(read_corpus(corpus), "test")]
    draw = np.random.default_rng(0)
    strange = []
    for i in range(6):
        path = folder / f"strange{i}.wav"
        sound = draw.standard_normal(32_000) if i % 2 else np.sin(np.arange(32_000) / (3 + i))
        soundfile.write(path, 0.1 * sound, 16_000)
        strange.append((path, "unknown", f"s{i}"))
    for name, held in (("test", rows), ("open", rows + strange), ("strange", strange)):
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("path", "label", "group"), *held])
    return folder


def evaluated(gated: Path, name: str, capture: Capture, *flags: str) -> dict[str, Any]:
    capture.readouterr()
    arguments = ["evaluate", str(gated / "m.safetensors"), str(gated / f"{name}.csv"), "--root", "/"]
    assert main([*arguments, "--format", "json", *flags]) == 0
    return dict(json.loads(capture.readouterr().out))


def test_unknown_clips_are_counted_as_score_answers_them(gated: Path, capsys: Capture) -> None:
    found = evaluated(gated, "open", capsys)["open_set"]
    paths = [row["path"] for row in csv.DictReader((gated / "open.csv").read_text().splitlines())]
    capsys.readouterr()
    assert main(["score", str(gated / "m.safetensors"), *paths, "--unknown", "always", "--format", "jsonl"]) == 0
    said = [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in found["predictions"]] == said
    assert (found["known"], found["unknown"], found["gated"]) == (16, 6, True)
    assert found["false_rejects"] == sum(label is None for label in said[:16]) / 16
    assert found["false_accepts"] == sum(label is not None for label in said[16:]) / 6
    assert found["unasked"] in ("every", "some", "no")


def test_all_other_figures_are_those_without_them(gated: Path, capsys: Capture) -> None:
    plain, with_unknown = (evaluated(gated, name, capsys, "--durations", "1") for name in ("test", "open"))
    pieces = with_unknown["durations"][0].pop("open_set")
    assert (pieces["known"], pieces["unknown"]) == (32, 12)  # two pieces of 1 s each
    assert with_unknown.pop("open_set")["unknown"] == 6
    assert with_unknown == plain


def test_unknown_clips_alone_say_nothing(gated: Path, capsys: Capture) -> None:
    arguments = ["evaluate", str(gated / "m.safetensors"), str(gated / "strange.csv"), "--root", "/"]
    assert main(arguments) == 2
    assert "[no_common_labels]" in capsys.readouterr().err


def test_a_label_that_the_model_lacks_is_an_error_as_ever(gated: Path, capsys: Capture) -> None:
    text = (gated / "open.csv").read_text()
    lines = text.splitlines()
    (gated / "yak.csv").write_text("\n".join([*lines[:-1], lines[-1].replace(",unknown,", ",yak,")]) + "\n")
    found = evaluated(gated, "yak", capsys)
    assert found["not_in_model"] == ["yak"]
    assert any("the model does not know yak: 1 clip, all counted as wrong" in text for text in found["warnings"])
    assert found["clips"] == 17
    assert found["refused"] == [0] * 5  # the gate has no say in who is named
    assert (found["open_set"]["known"], found["open_set"]["unknown"]) == (16, 5)


def test_the_report_has_a_section(gated: Path, capsys: Capture) -> None:
    evaluated(gated, "open", capsys, "--durations", "1", "--report", str(gated / "report"))
    page = (gated / "report" / "report.html").read_text()
    assert "<h2>Unknown clips</h2>" in page
    assert "6 clips labelled unknown" in page


def test_a_model_without_a_gate_is_asked_for_the_area(corpus: Path, gated: Path, capsys: Capture) -> None:
    model = str(gated / "bare.safetensors")
    flags = ["--preset", "speech", "--components", "1", "--no-calibration", "-o", model]
    assert main(["train", str(corpus), "--split", "train", *flags]) == 0
    capsys.readouterr()
    assert main(["evaluate", model, str(gated / "open.csv"), "--root", "/"]) == 0
    text = capsys.readouterr().out
    assert "note: the model has not learned when to answer unknown" in text
    assert re.search(r"^open-set AUC +[\d.]+  \(95 % interval ", text, re.MULTILINE)
    assert "false accepts  " not in text


def test_the_gate_is_asked_only_where_a_clip_is_unknown(gated: Path) -> None:
    classifier = load(gated / "m.safetensors")
    assert asked(classifier, {"arvi", "unknown"}).may_refuse(10)
    assert not asked(replace(classifier, unknown="always"), {"arvi"}).may_refuse(10)
    entries = read_corpus(gated / "open.csv", root=Path("/"))
    found = evaluate(replace(classifier, unknown="never"), entries)
    assert found.open_set is not None
    assert found.open_set.gated
