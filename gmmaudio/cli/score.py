"""``gmmaudio score``: new clips in, labels out."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from gmmaudio.cli.options import (
    NONE_PROCESSED,
    OK,
    SOME_FAILED,
    Verb,
    add_isolate,
    add_jobs,
    cores,
    positive,
    prior,
    reader,
)
from gmmaudio.cli.score_notes import note_gaps, note_never_unknown, note_prior, noting_short
from gmmaudio.errors import DataError
from gmmaudio.files import check_target, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gmmaudio.classify.classifier import Classifier
    from gmmaudio.classify.results import Results
    from gmmaudio.corpus.audio import Reader

log = logging.getLogger("gmmaudio")

_UNKNOWN = ("auto", "always", "never")
_TIMELINES = ("audacity", "textgrid")  # formats that hold one recording, in windows


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("score", run, "label new clips")
    flags.add_argument("model", metavar="MODEL", help="a model file that train has written")
    flags.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder, or @list (a file of paths)")
    text = "default text; audacity: a label track, textgrid: Praat's, both of one recording with --window"
    flags.add_argument("--format", choices=["text", "json", "jsonl", "csv", *_TIMELINES], default="text", help=text)
    flags.add_argument("--top", type=positive(int), default=1, metavar="N", help="labels shown per clip in text")
    flags.add_argument("--among", type=lambda text: text.split(","), metavar="A,B", help="consider these labels only")
    flags.add_argument("--prior", type=prior, metavar="A=0.7,B=0.3", help="weights of labels; those left out count 1")
    text = "answer unknown where no label explains a clip; auto: at durations at which few known clips are refused"
    flags.add_argument("--unknown", metavar="|".join(_UNKNOWN), default="auto", help=text)
    flags.add_argument("--window", type=positive(float), metavar="S", help="decide per window of so many seconds")
    flags.add_argument("--hop", type=positive(float), metavar="S", help="seconds between windows; default: the window")
    text = "decide windows together, labels changing every so many seconds on average; default: each by itself"
    flags.add_argument("--smooth", type=positive(float), metavar="S", help=text)
    flags.add_argument("--plot", metavar="FILE", help="also write a picture of one recording's timeline there")
    add_isolate(flags)
    add_jobs(flags)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from gmmaudio.classify.model_file import load
    from gmmaudio.classify.results import WRITERS
    from gmmaudio.corpus.manifest import AUDIO, expand

    _check_flags(options)
    classifier = _gated(load(options.model), options.unknown)
    paths = expand(options.paths)
    if not paths:
        text = "there are no audio files under the paths given"
        raise DataError("no_clips", text, f"give files, or folders that hold some: {', '.join(sorted(AUDIO))}")
    if len(paths) > 1 and _alone(options):
        text = f"{_alone(options)} takes one recording, got {len(paths)}"
        raise DataError("bad_flags", text, "run it once for each recording")
    classifier.log_prior(options.prior, options.among)  # names that are no label are refused before any work
    note_never_unknown(classifier)
    note_prior(classifier.labels, options.prior, options.among)
    with reader(options) as read:
        results = _results(options, classifier, paths, read)
        if options.plot:
            results = list(results)
            _plot(results, classifier.labels, options.plot)
        counts = WRITERS[options.format](sys.stdout, classifier.labels, results, options.top)
    if counts.failed < counts.clips and classifier.calibration is None and classifier.floor is None:
        _say_uncalibrated(options)
    if counts.failed:
        log.error("%d of %d clips failed", counts.failed, counts.clips)
    return OK if not counts.failed else SOME_FAILED if counts.failed < counts.clips else NONE_PROCESSED


def _alone(options: argparse.Namespace) -> str:
    """The flag for which there may be one recording only, if any."""
    return f"--format {options.format}" if options.format in _TIMELINES else "--plot" if options.plot else ""


def _check_flags(options: argparse.Namespace) -> None:
    """Refuse what makes no sense, alone or without windows, and a picture that cannot be written, before any work."""
    if options.unknown not in _UNKNOWN:
        near = get_close_matches(options.unknown, _UNKNOWN, n=1)
        text = f"--unknown is {printable(options.unknown)!r}; {', '.join(_UNKNOWN)} are allowed"
        raise DataError("bad_flags", text, f"did you mean {near[0]!r}?" if near else "")
    if options.window is None:
        given = {"--hop": options.hop, "--smooth": options.smooth, _alone(options): _alone(options)}
        for flag in [name for name, value in given.items() if value]:
            raise DataError("bad_flags", f"{flag} needs --window", "for instance --window 3 --hop 1")
    if options.plot:
        from gmmaudio.evaluate.pictures import check_suffix

        check_suffix(options.plot, "timeline.png")
        check_target(Path(options.plot))


def _results(options: argparse.Namespace, classifier: Classifier, paths: list[Path], read: Reader) -> Results:
    from gmmaudio.classify.timeline import score_windows

    if options.window is None:
        found = classifier.score_all(paths, options.prior, options.among, cores(options), read)
        return ((path, [decision]) for path, decision in zip(paths, found, strict=True))
    windows = (options.window, options.hop or options.window)
    how = (options.prior, options.among, cores(options), read, options.smooth)
    note_gaps(*windows)
    return noting_short(score_windows(classifier, paths, windows, *how), options.window)


def _plot(results: Results, labels: Sequence[str], file: str) -> None:
    from gmmaudio.classify.timeline import Window
    from gmmaudio.evaluate.timeline_picture import timeline_picture

    for path, found in results:
        windows = [one for one in found if isinstance(one, Window)]
        if windows:
            timeline_picture(windows, labels, file, path.name)


def _say_uncalibrated(options: argparse.Namespace) -> None:
    if options.format == "text":
        log.info("the posteriors are not calibrated: far too sure, for the frames of a clip are not independent")


def _gated(classifier: Classifier, wish: str) -> Classifier:
    """The classifier with its gate used as wished."""
    if classifier.gate is None and classifier.floor is None and wish == "always":
        text = "the model has not learned what is unknown to it"
        raise DataError("no_gate", text, "train it on at least three labels, each of two groups or more")
    return replace(classifier, unknown=wish)
