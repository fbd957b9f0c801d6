"""The front end: streams, chunks, memory, presets, TOML files, and settings that make no sense."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmaudio.corpus.audio import Clip
from gmmaudio.errors import ClipError, DataError, GmmaudioError
from gmmaudio.features.chain import CHUNK, run, run_voiced
from gmmaudio.features.context import Deltas, ShiftedDeltas
from gmmaudio.features.dialects import DIALECTS
from gmmaudio.features.frames import Frames
from gmmaudio.features.frontend import PRESETS, STEPS, VADS, FrontEnd, front_end_from, preset
from gmmaudio.features.mfcc import Mfcc
from gmmaudio.features.normalise import Normalise
from gmmaudio.features.spectral import Spectral
from gmmaudio.features.vad import EnergyVad
from tests.test_mfcc import noise

HERE = Path(__file__).parent.parent
FRONT_ENDS = {
    **PRESETS,
    "librosa": FrontEnd(DIALECTS["librosa"], EnergyVad(), (Deltas(order=1),)),
    "centred, short window": FrontEnd(Mfcc(centred=True, rate=8000, n_mels=23)),
    "hop longer than window": FrontEnd(Mfcc(rate=8000, n_mels=23, hop=0.04), steps=(Normalise(),)),
    "log-mel and spectral": FrontEnd(Mfcc(output="log_mel"), spectral=Spectral(("flux", "rms", "contrast"))),
}


@pytest.mark.parametrize("name", FRONT_ENDS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_a_stream_gives_the_bits_of_the_whole_clip(name: str, data: st.DataObject) -> None:
    front_end = FRONT_ENDS[name]
    samples = noise(data.draw(st.floats(0.2, 3)), front_end.rate, seed=data.draw(st.integers(0, 9)))
    cuts = data.draw(st.lists(st.integers(0, len(samples)), max_size=30).map(sorted))
    whole = front_end(Clip(samples, front_end.rate, None, ()))
    stream = front_end.from_blocks(np.split(samples, cuts))
    voiced = front_end.voiced_frames(np.split(samples, cuts))
    assert np.array_equal(whole.values, stream.values)
    assert np.array_equal(whole.voiced, stream.voiced)
    assert np.array_equal(whole.selected(), voiced.values)
    assert voiced.values.flags.c_contiguous
    assert (voiced.total, voiced.hop) == (len(whole.values), whole.hop)


@pytest.mark.parametrize("length", range(48000, 51000, 59))
def test_centred_frames_go_on_behind_the_clip(length: int) -> None:
    frames = FRONT_ENDS["librosa"].from_blocks([noise(3.0, 22050)[:length]])
    # librosa's count; the zeros behind the clip may fill more than the last block
    assert len(frames.values) == len(frames.voiced) == 1 + length // 512


def test_a_stream_of_single_samples() -> None:
    samples = noise(0.3, 8000)
    front_end = PRESETS["speech"]
    whole = front_end(Clip(samples, 8000, None, ()))
    assert np.array_equal(whole.values, front_end.from_blocks(samples[:, None]).values)


def test_steps_in_chunks_are_the_steps_at_once() -> None:
    generator = np.random.default_rng(0)
    n = 2 * CHUNK + 123
    frames = Frames(generator.standard_normal((n, 5)).astype(np.float32), generator.random(n) < 0.7, 0.01)
    steps = (Deltas(order=2, reach=3), ShiftedDeltas(6, 1, 3, 7), Normalise(variance=True), Deltas(order=1))
    expected = frames
    for step in steps:
        expected = step(expected)
    assert np.array_equal(run(steps, frames).values, expected.values)
    assert np.array_equal(run_voiced(steps, frames), expected.selected())
    assert np.array_equal(run_voiced(steps[:3], frames), run(steps[:3], frames).selected())
    assert np.array_equal(run_voiced((), frames), frames.selected())


HOUR = """
import resource, sys
import numpy as np
from gmmaudio.features.frontend import PRESETS

def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

front_end = PRESETS["general"]
second = np.random.default_rng(0).standard_normal(front_end.rate).astype(np.float32) * np.float32(0.1)
front_end.voiced_frames([second])
before = megabytes()
voiced = front_end.voiced_frames(second for _ in range(3600))
assert voiced.values.shape[1] == 60 and voiced.total > 359_000, voiced.values.shape
print(megabytes() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is counted in other units elsewhere")
@pytest.mark.long
def test_an_hour_fits_in_150_megabytes() -> None:
    done = subprocess.run([sys.executable, "-c", HOUR], capture_output=True, text=True, check=True, cwd=HERE)
    assert float(done.stdout) < 150  # of which 86 are the result: 360,000 frames of 60


@pytest.mark.parametrize("samples", [[], [np.zeros(0, np.float32)], [np.ones(100, np.float32)] * 2])
@pytest.mark.parametrize("name", ["speech", "librosa"])
def test_too_little(name: str, samples: list) -> None:
    with pytest.raises(ClipError, match="one window needs") as caught:
        FRONT_ENDS[name].from_blocks(samples if name == "librosa" else samples[:1])
    assert caught.value.code == "too_short"


def test_digital_silence_is_not_voiced_and_a_whole_clip_of_it_an_error() -> None:
    samples = np.concatenate([noise(1, 8000), np.zeros(8000, np.float32)])
    frames = PRESETS["speech"](Clip(samples, 8000, None, ()))
    assert frames.voiced[:90].all()
    assert not frames.voiced[-90:].any()
    with pytest.raises(ClipError) as caught:
        PRESETS["speech"](Clip(np.zeros(8000, np.float32), 8000, None, ()))
    assert caught.value.code == "silence"


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_say_how_wide_they_are_and_survive_a_round_trip(name: str) -> None:
    front_end = preset(name)
    frames = front_end(Clip(noise(1, front_end.rate), front_end.rate, None, ()))
    assert frames.values.shape[1] == front_end.dimension
    assert np.isfinite(frames.values).all()
    assert front_end_from(front_end.as_dict()) == front_end


def test_a_front_end_from_toml(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.toml"
    file.write_text('[mfcc]\nrate = 8000\nhigh = 3700\n[[steps]]\ntype = "deltas"\norder = 1\n')
    assert preset(str(file)) == FrontEnd(Mfcc(rate=8000, high=3700.0), EnergyVad(), (Deltas(order=1),))


def test_a_front_end_with_everything_from_toml(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "music.toml"
    file.write_text(
        '[mfcc]\ndialect = "librosa"\nrate = 44100\n[spectral]\nfeatures = ["flux", "chroma"]\nrolloff = 0.9\n'
        '[[whole]]\ntype = "librosa_tempo"\n[[whole]]\ntype = "librosa_constant_q"\noctaves = 6\n'
    )
    front_end = preset(str(file))
    assert front_end.mfcc == replace(DIALECTS["librosa"], rate=44100)
    assert front_end.spectral == Spectral(("flux", "chroma"), rolloff=0.9)
    assert front_end.dimension == 13 + 13 + 1 + 12
    assert front_end_from(json.loads(json.dumps(front_end.as_dict()))) == front_end


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("[spectral]\nbandz = 3", "unknown_key", "did you mean 'bands'"),
        ('[spectral]\nfeatures = "flux"', "bad_setting", "must be tuple"),
        ("[spectral]\nfeatures = [3]", "bad_setting", "list of names"),
        ('[mfcc]\ndialect = "klingon"', "unknown_dialect", "known are kaldi, librosa"),
        ("[mfcc]\ndialect = [3]", "unknown_dialect", "known are kaldi, librosa"),
        ('[[whole]]\ntype = "tempo"', "bad_setting", "known are librosa_tempo, librosa_constant_q"),
        ('[[whole]]\ntype = "librosa_tempo"\nstart = 0', "bad_setting", "beats per minute"),
        ("[mfcc]\nrat = 8000", "unknown_key", "did you mean 'rate'"),
        ("[mfc]\n", "unknown_key", "did you mean 'mfcc'"),
        ('[mfcc]\nrate = "fast"', "bad_setting", "must be int, got 'fast'"),
        ("[mfcc]\nrate = 10", "bad_setting", "4000 to 384000"),
        ("[mfcc]\nn_mels = 1000000000", "bad_setting", "<= 512"),
        ("[mfcc]\nwindow = nan", "bad_setting", "window"),
        ("[mfcc]\nwindow = 1e-300\nn_fft = 512", "bad_setting", "a window of 1e-300 s"),
        ("[mfcc]\nhop = 1e-300", "bad_setting", "a hop of 1e-300 s"),
        ("[mfcc]\nhop = -1e-300", "bad_setting", "a hop of -1e-300 s"),
        ("[mfcc]\nhop = 1.7e308", "bad_setting", "a hop of 1.7e+308 s"),
        ("[mfcc]\nlifter = 1e-320", "bad_setting", "0, or 1 to 1000"),
        ("[mfcc]\nhigh = 1e-300\nlow = 0", "bad_setting", "hold no bin"),
        ("[vad]\nmean_scale = 1e300", "bad_setting", "mean_scale 1e+300; 0 or more"),
        ("[vad]\nthreshold = -1e300", "bad_setting", "a threshold of -1e+300 nats"),
        ('[vad]\ntype = "mixture"\nseparation = 1e300', "bad_setting", "a separation of 1e+300 nats"),
        ('[vad]\ntype = "mixture"\nsilence = 1e300', "bad_setting", "a silence of 1e+300 nats"),
        ("[mfcc]\nlow = 5000\nrate = 8000", "bad_setting", "mel filters from"),
        ('[mfcc]\nshape = "square"', "bad_setting", "allowed are"),
        ('[[steps]]\ntype = "magic"', "bad_setting", "known are"),
        ('[[steps]]\ntype = "deltas"\norder = 99', "bad_setting", "1 to 4"),
        ("steps = 3", "bad_setting", "list of tables"),
        ("[mfcc", "bad_toml", "is not TOML"),
    ],
)
def test_a_front_end_that_makes_no_sense(tmp_path, text: str, code: str, words: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(DataError) as caught:
        preset(str(file))
    assert caught.value.code == code
    assert words in str(caught.value)


KINDS: list[tuple[str, type]] = [
    ("mfcc", Mfcc), ("spectral", Spectral), *(("vad", kind) for kind in VADS.values()),
    *(("steps", kind) for kind in STEPS.values()),
]  # fmt: skip
TYPES = {kind: name for types in (VADS, STEPS) for name, kind in types.items()}
EXTREMES = [0, 1, -1, 2**63, 10**400, 5e-324, -1e-300, 1e-40, 1e-5, 0.5, 1e10, 1e39, -1e300, 1.7e308, np.nan]


@pytest.mark.parametrize(("table", "kind", "name"), [(t, k, item.name) for t, k in KINDS for item in fields(k)])
def test_extreme_settings_are_refused_or_give_finite_frames(table: str, kind: type, name: str) -> None:
    """Warnings are errors in the test run: nothing overflows and nothing is divided by zero."""
    for value in EXTREMES:
        chosen = {name: value} | ({"type": TYPES[kind]} if kind in TYPES else {})
        plain = {"mfcc": {"rate": 8000}, table: [chosen] if table == "steps" else chosen}
        try:
            frames = front_end_from(plain).from_blocks((noise(0.3, 8000),))
        except GmmaudioError as error:
            assert error.code in ("bad_setting", "silence", "too_short")
        else:
            assert np.abs(frames.values).max() < 1e6


def test_unknown_presets() -> None:
    with pytest.raises(DataError, match="known are general"):
        preset("jazz")
    with pytest.raises(DataError, match="there is no file"):
        preset("missing.toml")


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["mfcc", "steps", "vad", "spectral", "whole", "dialect", "rate", "type", "order", "x"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=10,
    ).map(lambda value: value if isinstance(value, dict) else {"mfcc": value, "steps": [value]})
)
def test_any_plain_values_are_a_front_end_or_a_coded_error(values: dict) -> None:
    try:
        front_end_from(values)
    except GmmaudioError as error:
        assert error.code in ("unknown_key", "bad_setting", "unknown_dialect")


def test_shifted_deltas_count_where_all_their_frames_are_there() -> None:
    # Blocks 7-1-3-7 reach from one frame before to 6 * 3 + 1 = 19 frames behind.
    loud = FrontEnd(Mfcc(rate=8000), EnergyVad(threshold=-1000.0), (ShiftedDeltas(),))
    frames = loud(Clip(noise(1.0, 8000), 8000))
    assert np.flatnonzero(frames.voiced).tolist() == list(range(1, 98 - 19))
    assert len(loud.voiced_frames((noise(1.0, 8000),)).values) == 78
    short = loud(Clip(noise(0.2, 8000), 8000))  # 18 frames, none of which has all
    assert short.voiced.all()


@pytest.mark.parametrize("name", ["speech", "language"])
@pytest.mark.parametrize("milliseconds", [12, 25, 60, 90, 120, 200])
def test_features_of_a_moment_s_sound_are_no_absurd_numbers(name: str, milliseconds: int) -> None:
    # Steady noise over a second shows what is usual. Silence with sound at its very end has as few voiced frames as
    # one wishes, and hardly any variance among them.
    front_end = PRESETS[name]
    usual = np.abs(front_end.voiced_frames((noise(1.0, 8000),)).values).max()
    sound = 8 * milliseconds
    samples = np.concatenate([np.zeros(8000, np.float32), 0.3 * np.sin(np.arange(sound, dtype=np.float32))])
    try:
        frames = front_end.voiced_frames((samples,))
    except ClipError as error:
        assert (name, error.code) == ("speech", "silence")
        assert milliseconds < 100
        assert "normalising variance takes 10" in error.message
    else:
        assert np.abs(frames.values).max() < 10 * usual


def test_a_clip_of_few_frames_is_too_short_to_be_normalised() -> None:
    with pytest.raises(ClipError, match="9 of the clip's 9 frames") as caught:
        PRESETS["speech"].voiced_frames((noise(0.105, 8000),))
    assert caught.value.code == "too_short"
    assert len(PRESETS["speech"].voiced_frames((noise(0.115, 8000),)).values) == 10
