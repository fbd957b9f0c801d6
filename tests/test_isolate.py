"""Decoding in other processes: the same samples and errors, and a decoder that dies costs one clip."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gmmaudio.classify.classifier import Classifier, Decision
from gmmaudio.classify.examples import read_examples
from gmmaudio.classify.model_file import save
from gmmaudio.classify.train import Trained
from gmmaudio.cli import main
from gmmaudio.corpus import isolate
from gmmaudio.corpus.audio import Reader, joined, read_through, sample_hash
from gmmaudio.corpus.isolate import isolated
from gmmaudio.corpus.limits import Limits
from gmmaudio.corpus.manifest import Entry, read_corpus
from gmmaudio.errors import ClipError
from tests.hostile_decoder import LIES, WAYS_TO_LINGER, hostile
from tests.test_audio import RATE, WRONG, chirp, encoded, wav

Array = np.ndarray


def test_workers_come_up_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is up only once the other is about to be: one after the other they never would."""
    both = threading.Barrier(2)
    monkeypatch.setattr(isolate, "_Worker", lambda *_: both.wait(timeout=5))
    workers = isolate._Workers(1.0, 2**30, read_through)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda _: workers._take(), range(2))) == [0, 1]  # type: ignore[type-var]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.wav"
    path.write_bytes(wav(chirp(6.0)))
    return path


def told(read: Reader, path: Path, rate: int | None = 8000) -> str:
    """The hash of the samples and the warnings, or the error in full."""
    try:
        samples, facts = read(path, rate, joined)
    except ClipError as error:
        return str(error)
    assert facts.samples == len(samples)
    return f"{sample_hash(samples)} {facts}"


def test_the_same_samples_errors_and_warnings(tmp_path: Path) -> None:
    tone = chirp(6.0)
    contents = [data for group in WRONG.values() for data in group]
    contents += [encoded(tone, kind) for kind in ("WAV", "FLAC", "OGG", "MP3")]
    contents += [wav(np.stack([tone, -0.9 * tone], axis=1)), wav(tone)[:90000]]
    paths = [tmp_path / f"{number}.wav" for number in range(len(contents))]
    for path, data in zip(paths, contents, strict=True):
        path.write_bytes(data)
    with isolated() as read:
        for path in [*paths, tmp_path / "missing.wav", tmp_path]:
            assert told(read, path) == told(read_through, path)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("dies", "decoder_crashed", "signal 11"),
        ("late", "decoder_crashed", "signal 11"),
        ("leaves", "decoder_crashed", "exit status 7"),
        ("stumbles", "decoder_crashed", "exit status 1"),
        ("devours", "decoder_crashed", "more than 1024 MiB"),
        ("hangs", "decoder_timeout", "longer than 2 s"),
    ],
)
def test_one_clip_is_lost_and_the_others_go_on(name: str, code: str, words: str, good: Path) -> None:
    bad = good.with_stem(name)
    bad.write_bytes(good.read_bytes())
    with isolated(seconds=2, read=hostile) as read:
        assert told(read, good) == told(read_through, good)
        with pytest.raises(ClipError, match=words) as caught:
            read(bad, None, joined)
        assert (caught.value.code, str(bad) in caught.value.message) == (code, True)
        assert told(read, good) == told(read_through, good)


@pytest.mark.parametrize("lie", range(len(LIES)))
def test_what_a_worker_says_is_not_trusted(lie: int, good: Path) -> None:
    bad = good.with_stem(f"lies{lie}")
    bad.write_bytes(good.read_bytes())
    with isolated(seconds=2, read=hostile) as read:
        read(good, None, joined)
        with pytest.raises(ClipError) as caught:
            read(bad, None if lie == len(LIES) - 1 else 8000, joined)  # the last one lies of the file's own rate
    assert caught.value.code in {"decoder_crashed", "decoder_timeout"}


@pytest.mark.parametrize("way", WAYS_TO_LINGER)
def test_no_worker_keeps_a_clip_waiting(way: str, good: Path) -> None:
    bad = good.with_stem(way)
    bad.write_bytes(good.read_bytes())
    with isolated(seconds=2, read=hostile) as read:
        read(good, None, joined)
        began = time.monotonic()
        with pytest.raises(ClipError) as caught:
            read(bad, 8000, joined)
        assert time.monotonic() - began < 10  # 2 s to decode, 5 s for a process to end
        assert told(read, good) == told(read_through, good)
    late = way.startswith(("stalls", "trickles"))
    assert caught.value.code == ("decoder_timeout" if late else "decoder_crashed")
    assert "None" not in caught.value.message


def test_a_worker_that_goes_on_and_on_is_ended_at_the_longest_clip_that_is_allowed(good: Path) -> None:
    passed = 0

    def count(blocks: Iterator[Array]) -> None:
        nonlocal passed
        for each in blocks:
            passed += len(each)

    bad = good.with_stem("babbles")
    bad.write_bytes(good.read_bytes())
    with isolated(seconds=20, read=hostile) as read, pytest.raises(ClipError, match="nonsense"):
        read(bad, 8000, count, limits=Limits(max_seconds=60))
    assert passed <= 60 * 8000 + 2**16  # a resampler's tail


def test_a_consumers_error_leaves_the_worker_usable(good: Path) -> None:
    def refuse(_: Iterator[Array]) -> None:
        raise ClipError("silence", "nothing to hear")

    with isolated() as read:
        with pytest.raises(ClipError, match="nothing to hear"):
            read(good, None, refuse)
        with pytest.raises(ZeroDivisionError):
            read(good, None, lambda _: 1 / 0)
        assert told(read, good) == told(read_through, good)


def test_a_consumer_may_take_its_time(good: Path) -> None:
    def slow(blocks: Iterator[Array]) -> int:
        total = 0
        for block in blocks:
            time.sleep(1.5)
            total += len(block)
        return total

    with isolated(seconds=2) as read:
        read(good, None, joined)  # starts the worker
        assert read(good, None, slow)[0] == 6 * RATE


def test_training_and_scoring_accept_it(trained: Trained, corpus: Path, tmp_path: Path) -> None:
    classifier: Classifier = trained.classifier
    entries = read_corpus(corpus)[:6]
    bad = tmp_path / "dies.wav"
    bad.write_bytes(entries[0].path.read_bytes())
    plain, _ = read_examples(entries, classifier.front_end)
    with isolated(read=hostile) as read:
        examples, failures = read_examples([Entry(bad, "x"), *entries], classifier.front_end, jobs=2, read=read)
        paths = [entry.path for entry in entries]
        found = list(classifier.score_all([*paths, bad, *paths], jobs=2, read=read))
    assert [failure.error.code for failure in failures] == ["decoder_crashed"]
    for one, other in zip(examples, plain, strict=True):
        np.testing.assert_array_equal(one.frames, other.frames)
        assert one.sample_hash == other.sample_hash
    expected = [classifier.score(path) for path in paths]
    assert isinstance(found[6], ClipError)
    assert [each for each in found if isinstance(each, Decision)] == expected * 2


def test_no_process_is_left_and_no_note_is_printed(tmp_path: Path) -> None:
    data = bytearray(encoded(chirp(5.0), "MP3"))
    data[9000:9400] = np.random.default_rng(3).bytes(400)
    (tmp_path / "a.mp3").write_bytes(data)
    code = f"""
import multiprocessing
from gmmaudio.corpus.isolate import isolated
if __name__ == "__main__":
    with isolated() as read:
        read({str(tmp_path / "a.mp3")!r}, None, lambda blocks: sum(map(len, blocks)))
        print(len(multiprocessing.active_children()))
    print(len(multiprocessing.active_children()))
"""
    (tmp_path / "main.py").write_text(code)
    done = subprocess.run(
        [sys.executable, tmp_path / "main.py"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("1\n0\n", "")


def test_the_verbs_give_the_same_with_it(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def outcome(*flags: str) -> tuple[bytes, str]:
        model = tmp_path / f"model{len(flags)}.safetensors"
        clip = str(next(corpus.parent.rglob("*.wav")))
        train = ["train", str(corpus), "-o", str(model), "--preset", "speech", "--components", "2"]
        assert main([*train, *flags]) == 0
        capsys.readouterr()
        assert main(["score", str(model), clip, str(text), "--format", "jsonl", *flags]) == 3
        return model.read_bytes(), capsys.readouterr().out

    text = tmp_path / "text.wav"
    text.write_text("no audio at all " * 99)
    assert outcome("--isolate") == outcome()


def test_the_report_s_sounds_are_decoded_by_workers_too(
    trained: Trained, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = {entry.label: entry.path for entry in read_corpus(corpus)}
    one, two = list(clips)[:2]
    (tmp_path / "all.csv").write_text(f"path,label\n{clips[one]},{two}\n{clips[two]},{one}\n")  # both wrong
    save(trained.classifier, tmp_path / "m.safetensors")
    monkeypatch.setattr("gmmaudio.corpus.audio._read", lambda *_: pytest.fail("decoded in this process"))
    flags = ["--root", "/", "--isolate", "--allow-leaks", "--report", str(tmp_path / "report")]
    assert main(["evaluate", str(tmp_path / "m.safetensors"), str(tmp_path / "all.csv"), *flags]) == 0
    assert "data:audio/mpeg" in (tmp_path / "report" / "report.html").read_text()
