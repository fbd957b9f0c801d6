"""``gmmaudio evaluate``: figures on labelled clips that a model has not seen."""

from __future__ import annotations

import argparse

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
from gmmaudio.cli.output import print_figures, progress


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("evaluate", run, "evaluate a model on labelled clips that it has not seen")
    flags.add_argument("model", metavar="MODEL")
    add_data(flags)
    add_selection(flags, "evaluate on the rows whose fold is F")
    add_report(flags)
    add_isolate(flags)
    add_jobs(flags)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from gmmaudio.classify.describe import describe
    from gmmaudio.classify.model_file import load
    from gmmaudio.corpus.manifest import in_split
    from gmmaudio.corpus.selection import in_fold
    from gmmaudio.evaluate.heldout import evaluate

    refuse_half_a_fold(options)
    classifier = load(options.model)
    with reader(options) as audio:
        entries, read, _ = open_data(options, audio)
        entries = in_split(entries, options.split)
        if options.fold is not None:
            inside = in_fold(entries, options.fold_by or "fold", options.fold)
            entries = [entry for entry, kept in zip(entries, inside, strict=True) if kept]
        found = evaluate(classifier, entries, cores(options), options.allow_leaks, progress(options, "scoring"), read)
    return print_figures(found, found, options, entries, describe(options.model))
