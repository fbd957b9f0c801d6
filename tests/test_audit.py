"""The audit on small planted corpora, where it is known what there is to find; and on real audio with known twins."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gmmaudio.corpus.audio import joined, read_clip, read_through
from gmmaudio.corpus.manifest import Entry, read_corpus
from gmmaudio.corpus.properties import Properties, properties_of
from gmmaudio.errors import NothingLeft
from gmmaudio.evaluate.audit import Audit, audit
from gmmaudio.evaluate.confounds import telling
from gmmaudio.evaluate.finding import Finding

Make = Callable[..., Entry]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a clip of noise, the same for the same seed, and makes its entry."""

    def one(
        name: str,
        seed: int,
        label: str = "a",
        rate: int = 8000,
        gain: float = 0.1,
        seconds: float = 2.0,
        **more: object,
    ) -> Entry:
        samples = gain * np.random.default_rng(seed).standard_normal(round(seconds * rate))
        soundfile.write(tmp_path / name, np.clip(samples, -0.9, 0.9), rate, subtype="PCM_16")
        return Entry(tmp_path / name, label, name=name, **more)  # type: ignore[arg-type]

    return one


def heard(path: Path) -> Properties:
    return properties_of(*read_through(path, None, joined))


def codes(found: Audit) -> dict[str, Finding]:
    return {finding.code: finding for finding in found.findings}


def many(make: Make, count: int = 12, **more: object) -> list[Entry]:
    """Clips of two labels, each with a group of its own: nothing to find."""
    return [
        make(f"clip{i}.wav", 1000 + i, label="ab"[i % 2], group=f"g{i}", **more)  # type: ignore[arg-type]
        for i in range(count)
    ]


def test_nothing_is_found_where_nothing_is(make: Make) -> None:
    found = audit(many(make))
    assert found.findings == ()
    assert found.exit_status == 0
    assert (found.clips, found.labels, found.groups, found.compared) == (12, 2, 12, 12)
    assert "found: nothing" in found.as_text()


def test_exact_copies_in_another_container_and_number_of_channels(make: Make, tmp_path: Path) -> None:
    first = make("one.wav", 1, group="x")
    samples, rate = soundfile.read(first.path, dtype="int16")
    soundfile.write(tmp_path / "same.flac", samples, rate)
    soundfile.write(tmp_path / "both.wav", np.stack([samples, samples], axis=1), rate)
    twins = [replace(first, path=tmp_path / name, name=name) for name in ("same.flac", "both.wav")]
    finding = codes(audit([first, *twins, *many(make)]))["exact_copies"]
    assert finding.clips == (("one.wav", "same.flac", "both.wav"),)
    assert finding.severity == "note"  # one label, one group


@pytest.mark.parametrize(
    ("side", "one", "two"),
    [
        ("split", {"split": "train", "group": "x"}, {"split": "test", "group": "x"}),
        ("fold", {"fold": "1", "group": "x"}, {"fold": "2", "group": "x"}),
        ("group", {"group": "x"}, {"group": "y"}),
        ("group", {"group": None}, {"group": None}),
        ("label", {"label": "a", "group": "x"}, {"label": "b", "group": "x"}),
    ],
)
@pytest.mark.parametrize("kind", ["exact_copies", "near_copies"])
def test_copies_on_two_sides(make: Make, kind: str, side: str, one: dict[str, str], two: dict[str, str]) -> None:
    gain = 0.1 if kind == "exact_copies" else 0.025  # -12 dB, rounded to 16 bit anew
    pair = [make("one.wav", 1, **one), make("two.wav", 1, gain=gain, **two)]
    found = audit([*pair, *many(make)])
    finding = codes(found)[f"{kind}_across_{side}"]
    assert finding.clips == (("one.wav", "two.wav"),)
    assert finding.severity == "serious"
    assert found.exit_status == 2
    assert {code for code in codes(found) if "cop" in code} == {f"{kind}_across_{side}"}
    assert f"[{kind}_across_{side}]" in found.as_text()


@pytest.mark.parametrize(
    ("groups", "words"), [((None, None), "no groups keep them together"), (("x", None), "with different groups")]
)
def test_clips_without_groups_are_not_said_to_have_different_ones(
    make: Make, groups: tuple[str | None, str | None], words: str
) -> None:
    clips = [make(f"{i}.wav", 1, group=group) for i, group in enumerate(groups)]
    finding = codes(audit([*clips, *many(make)]))["exact_copies_across_group"]
    assert words in finding.message


def test_two_corpora(make: Make) -> None:
    mine = many(make)
    theirs = [
        make("x.wav", 1003, group="g3", label="b"),
        make("y.wav", 1004, gain=0.02),
        make("z.wav", 77, group="new"),
    ]
    found = codes(audit(mine, theirs))
    assert found["exact_copies_across_data"].clips == (("clip3.wav", "DATA2: x.wav"),)
    assert found["near_copies_across_data"].clips == (("clip4.wav", "DATA2: y.wav"),)
    assert found["groups_in_both"].clips == (("clip3.wav", "x.wav"),)
    # Their groups and folds are divisions of their own: not compared.
    assert set(found) == {"exact_copies_across_data", "near_copies_across_data", "groups_in_both"}


def test_exact_copies_of_near_copies_are_found_at_each_place(make: Make) -> None:
    clips = [
        make("a.wav", 1, group="x", split="train"),
        make("b.wav", 1, group="x", split="train"),
        make("soft.wav", 1, gain=0.02, group="x", split="train"),
        make("soft2.wav", 1, gain=0.02, group="x", split="test"),
    ]
    found = codes(audit([*clips, *many(make)]))
    assert found["exact_copies_across_split"].clips == (("soft.wav", "soft2.wav"),)
    assert found["near_copies_across_split"].clips == (("a.wav", "soft2.wav"),)
    assert found["near_copies"].clips == (("a.wav", "soft.wav"),)
    assert found["near_copies"].details[0]["offset"] == 0


def test_silence_is_no_copy_and_what_is_left_out_is_said(make: Make, tmp_path: Path) -> None:
    silent = [make(f"s{i}.wav", 1, gain=0.0, group="x") for i in range(2)]
    short = make("short.wav", 2, seconds=0.03, group="x")
    (tmp_path / "text.wav").write_text("no audio at all")
    bad = Entry(tmp_path / "text.wav", "a", "x", name="text.wav")
    found = audit([*silent, short, bad, *many(make)])
    assert {code: finding.clips for code, finding in codes(found).items()} == {
        "silence": (("s0.wav",), ("s1.wav",)),
        "not_compared": (("short.wav",),),
        "unreadable": (("text.wav",),),
    }
    assert found.exit_status == 3
    assert found.compared == 12
    assert found.as_dict()["errors"][0]["error"]["code"] == "not_audio"
    with pytest.raises(NothingLeft) as caught:
        audit([bad])
    assert caught.value.code == "not_audio"


def test_groups_that_cannot_be_kept_apart(make: Make) -> None:
    clips = [
        make("a0.wav", 0, group="x", split="train", fold="1"),
        make("a1.wav", 1, group="x", split="test", fold="2"),
        make("b0.wav", 2, "b", group="y", split="train", fold="1"),
        make("b1.wav", 3, "b", group="z", split="train", fold="1"),
        make("c.wav", 4, "c"),
    ]
    found = codes(audit(clips))
    assert found["groups_across_split"].clips == found["groups_across_fold"].clips == (("a0.wav", "a1.wav"),)
    assert found["one_group_class"].message.startswith("every clip of a is of one group;")
    assert found["few_groups"].message == "few groups: b (2)"
    assert found["missing_groups"].clips == (("c.wav",),)
    bare = audit([replace(clip, group=None) for clip in clips])
    assert codes(bare)["no_groups"].message.startswith("NO GROUPS:")


def test_the_machine_that_learned_the_microphone(make: Make) -> None:
    clips = [make(f"{i}.wav", i, "ab"[i % 2], rate=(8000, 16000)[i % 2], group=f"g{i // 4}") for i in range(40)]
    found = [finding for finding in audit(clips).findings if finding.code == "property_tells_class"]
    assert found[0].message.startswith("sample rate alone tells a, b from the rest: 100 % right")
    assert found[1].message.startswith("bandwidth alone")  # 4000 and 8000 Hz
    assert {finding.severity for finding in found} == {"warning"}
    # The same recordings under labels drawn at random: nothing there, and nothing said.
    for seed in range(5):
        labels = np.random.default_rng(seed).permutation([clip.label for clip in clips])
        shuffled = [replace(clip, label=str(label)) for clip, label in zip(clips, labels, strict=True)]
        assert audit(shuffled).findings == ()


def test_recordings_that_give_away_the_label_by_the_group_alone(make: Make) -> None:
    """Each group has a level of its own, by chance, and one label: known groups are known again, new ones are not."""
    level = np.random.default_rng(5).permutation(np.geomspace(0.01, 0.3, 16))
    clips = [
        make(f"{i}.wav", i, "ab"[i // 6 % 2], gain=level[i // 6], group=f"g{i // 6}", columns={"site": f"s{i // 36}"})
        for i in range(96)
    ]
    finding = codes(audit(clips))["recordings_not_classes"]
    assert "THE RECORDINGS, NOT THE LABELS, TELL THE CLASSES APART: level" in finding.message
    mixed, apart = finding.details[:2]
    assert mixed["accuracy"] > 0.8
    assert apart["accuracy"] < 0.65
    assert apart["group_disjoint"]


def test_a_column_that_goes_along_with_the_label(make: Make) -> None:
    clips = [
        replace(clip, columns={"room": "hall" if i % 2 == 0 or i == 5 else "attic", "species": f"of {clip.label}"})
        for i, clip in enumerate(many(make, 40))
    ]
    found = codes(audit(clips))
    assert list(found) == ["column_tells_class"]  # and the label under another name is no finding
    assert "'room'" in found["column_tells_class"].message


def test_properties_by_hand(make: Make, tmp_path: Path) -> None:
    t = np.arange(32000) / 16000
    sine = np.sin(2 * np.pi * 3000 * t) * np.where(t < 1, 0.5, 0.005)
    soundfile.write(tmp_path / "s.wav", np.stack([sine, sine], 1), 16000, subtype="PCM_24")
    found = heard(tmp_path / "s.wav")
    assert (found.rate, found.channels, found.format, found.seconds) == (16000, 2, "WAV 24 bit", 2.0)
    assert found.level == pytest.approx(10 * np.log10(0.5**2 / 4), abs=0.01)  # half the time, a sine's half
    assert found.noise_floor == pytest.approx(20 * np.log10(0.005) - 3.01, abs=0.1)
    assert found.clipped == 0
    soundfile.write(tmp_path / "t.wav", 0.5 * np.sin(2 * np.pi * 3000 * t), 16000, subtype="PCM_24")
    # The main lobe of a Hann window reaches two bins of 15.6 Hz; its side lobes fall below -60 dB within five.
    assert heard(tmp_path / "t.wav").bandwidth == pytest.approx(3000, abs=100)
    loud = make("loud.wav", 1, gain=10.0)
    soundfile.write(loud.path, np.sign(np.random.default_rng(0).standard_normal(8000)), 8000)
    assert heard(loud.path).clipped == 1
    assert heard(make("z.wav", 1, gain=0.0).path).level == -120


def test_telling_cannot_be_fooled_by_chance_or_by_groups() -> None:
    alarms = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        groups = [f"g{i // 5}" for i in range(100)]
        columns = {"level": (random.normal(size=20).repeat(5) + 0.01 * random.normal(size=100)).tolist()}
        labels = [str(label) for label in random.integers(0, 3, 20).repeat(5)]
        told = telling(columns, labels, groups)
        assert told is not None
        alarms += told.above_chance
    assert alarms <= 2  # at 99 %, one-sided 0.5 %: 0.2 are expected
    assert telling({"rate": [8000.0] * 9}, ["a", "b", "c"] * 3, [None] * 9) is None
    assert telling({"rate": [8000.0, 9000.0]}, ["a", "b"], [None] * 2) is None


def test_the_result_is_the_same_for_any_number_of_jobs(make: Make) -> None:
    clips = [*many(make), make("copy.wav", 1004, gain=0.03, group="g4")]
    seen: list[tuple[int, int]] = []
    expected = audit(clips, progress=lambda done, total: seen.append((done, total)))
    assert audit(clips, jobs=3).as_dict() == expected.as_dict()
    assert seen[-1] == (13, 13)
    json.dumps(expected.as_dict(), allow_nan=False)


def test_real_twins_in_esc10(real_data: Path) -> None:
    """Three pairs of clips with different Freesound numbers share samples: their waveforms correlate, see below."""
    entries = [
        e for e in read_corpus(real_data / "esc10" / "manifest.csv") if e.label in {"baby_cry", "fire_crackling"}
    ]
    found = codes(audit(entries, jobs=2))
    pairs = {tuple(name.split("/")[1] for name in row) for row in found["near_copies_across_group"].clips}
    assert pairs == {("3-151080-A.ogg", "5-151085-A.ogg"), ("2-28314-A.ogg", "2-30322-A.ogg")}
    (row,) = found["near_copies_across_fold"].clips
    one, two = (read_clip(real_data / "esc10" / name, 8000).samples.astype(np.float64) for name in row)
    lag = round(0.6486 * 8000)  # s
    assert np.corrcoef(one[lag + 20000 : lag + 30000], two[20000:30000])[0, 1] > 0.99
    passages = {tuple(name.split("/")[1] for name in row) for row in found["shared_passages_across_group"].clips}
    assert passages == {("2-28314-B.ogg", "2-30322-B.ogg")}


@pytest.mark.long
def test_lid_says_in_words_that_the_recordings_tell_the_classes_apart(real_data: Path) -> None:
    # README of the data: random clips 0.83, voices apart 0.38, sources apart 0.10, by a plain MFCC mixture.
    finding = codes(audit(read_corpus(real_data / "lid" / "manifest.csv"), jobs=2))["recordings_not_classes"]
    assert "THE RECORDINGS, NOT THE LABELS, TELL THE CLASSES APART" in finding.message
    assert "--fold-by source" in finding.hint
    mixed, voices, sources = finding.details
    assert mixed["accuracy"] > voices["accuracy"] > sources["accuracy"]
