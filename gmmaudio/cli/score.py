"""``gmmaudio score``: new clips in, labels out."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
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
from gmmaudio.errors import DataError

if TYPE_CHECKING:
    from gmmaudio.classify.classifier import Classifier

log = logging.getLogger("gmmaudio")


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("score", run, "label new clips")
    flags.add_argument("model", metavar="MODEL")
    flags.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder, or @list (a file of paths)")
    flags.add_argument("--format", choices=["text", "json", "jsonl", "csv"], default="text")
    flags.add_argument("--top", type=positive(int), default=1, metavar="N", help="labels shown per clip in text")
    flags.add_argument("--among", type=lambda text: text.split(","), metavar="A,B", help="consider these labels only")
    flags.add_argument("--prior", type=prior, metavar="A=0.7,B=0.3", help="weights of labels; those left out count 1")
    text = "answer unknown where no label explains a clip; auto: if the model refuses few clips that it should know"
    flags.add_argument("--unknown", choices=["auto", "always", "never"], default="auto", help=text)
    flags.add_argument("--window", type=positive(float), metavar="S", help="decide per window of so many seconds")
    flags.add_argument("--hop", type=positive(float), metavar="S", help="seconds between windows; default: the window")
    add_isolate(flags)
    add_jobs(flags)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from gmmaudio.classify.model_file import load
    from gmmaudio.classify.results import WRITERS, Results
    from gmmaudio.classify.timeline import score_windows
    from gmmaudio.corpus.manifest import expand

    if options.hop is not None and options.window is None:
        raise DataError("bad_flags", "--hop needs --window")
    classifier = _gated(load(options.model), options.unknown)
    paths = expand(options.paths)
    if not paths:
        raise DataError("no_clips", "there are no audio files under the paths given")
    results: Results
    with reader(options) as read:
        if options.window is None:
            found = classifier.score_all(paths, options.prior, options.among, cores(options), read)
            results = ((path, [decision]) for path, decision in zip(paths, found, strict=True))
        else:
            windows = (options.window, options.hop or options.window)
            results = score_windows(classifier, paths, windows, options.prior, options.among, cores(options), read)
        counts = WRITERS[options.format](sys.stdout, classifier.labels, results, options.top)
    if options.format == "text" and counts.failed < counts.clips and classifier.calibration is None:
        log.info("the posteriors are not calibrated: far too sure, for the frames of a clip are not independent")
    if counts.failed:
        log.error("%d of %d clips failed", counts.failed, counts.clips)
    return OK if not counts.failed else SOME_FAILED if counts.failed < counts.clips else NONE_PROCESSED


def _gated(classifier: Classifier, wish: str) -> Classifier:
    """The classifier with its gate used as wished."""
    if classifier.gate is None and wish == "always":
        text = "the model has not learned what is unknown to it"
        raise DataError("no_gate", text, "train it on at least three labels, each of two groups or more")
    return replace(classifier, unknown=wish)
