"""``gmmaudio evaluate``: figures on labelled clips that a model has not seen."""

from __future__ import annotations

import argparse
from functools import partial

from gmmaudio.cli.options import (
    Verb,
    add_data,
    add_isolate,
    add_jobs,
    add_report,
    add_selection,
    cores,
    open_data,
    reader,
    refuse_half_a_fold,
)
from gmmaudio.cli.output import print_figures, progress, warn_without_groups
from gmmaudio.errors import DataError


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("evaluate", run, "evaluate a model on labelled clips that it has not seen")
    flags.add_argument("model", metavar="MODEL", help="a model file that train has written")
    add_data(flags)
    add_selection(flags, "evaluate on the rows whose fold is F")
    add_report(flags)
    text = "also evaluate pieces of so many seconds"
    flags.add_argument("--durations", metavar="30,10,3,1", help=text)
    add_isolate(flags)
    add_jobs(flags)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from gmmaudio.classify.describe import describe, in_words
    from gmmaudio.classify.model_file import load
    from gmmaudio.corpus.manifest import in_split, read_corpus
    from gmmaudio.corpus.one_label import read_one_label
    from gmmaudio.corpus.selection import in_fold
    from gmmaudio.evaluate.anomalies import evaluate_one_class
    from gmmaudio.evaluate.durations import evaluate_durations, lengths_from
    from gmmaudio.evaluate.heldout import evaluate
    from gmmaudio.evaluate.open_set import asked

    refuse_half_a_fold(options)
    lengths = lengths_from(options.durations) if options.durations else ()
    classifier, durations, corpus = load(options.model), None, read_corpus
    if classifier.floor is not None:
        _refuse_for_one_class(options)
        corpus = partial(read_one_label, label=classifier.labels[0])
    with reader(options) as audio:
        entries, read, own = open_data(options, audio, corpus)
        if lengths and own is not None:
            raise DataError("bad_flags", "--durations cuts clips, and a feature store holds none", "name the corpus")
        entries = in_split(entries, options.split)
        if options.fold is not None:
            inside = in_fold(entries, options.fold_by or "fold", options.fold)
            entries = [entry for entry, kept in zip(entries, inside, strict=True) if kept]
        warn_without_groups(entries)
        shown = progress(options, "scoring")
        figures = evaluate if classifier.floor is None else evaluate_one_class
        found = figures(classifier, entries, cores(options), options.allow_leaks, shown, read)
        if lengths:
            answering = asked(classifier, {entry.label for entry in entries})  # as in evaluate
            durations = evaluate_durations(answering, entries, lengths, cores(options), shown, audio)
        known, rate = in_words(describe(options.model)), classifier.front_end.rate
        return print_figures(found, found, options, entries, known, audio, rate, durations)


def _refuse_for_one_class(options: argparse.Namespace) -> None:
    """What is made for several labels."""
    for flag, given in {"--report": options.report, "--durations": options.durations}.items():
        if given:
            text = f"{flag} compares labels, and the model has one"
            raise DataError("bad_flags", text, "leave it out; --format json has every figure")
