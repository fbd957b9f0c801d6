"""``gmmaudio train``: labelled clips in, a model file out."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gmmaudio.cli.options import (
    OK,
    SOME_FAILED,
    Verb,
    add_data,
    add_isolate,
    add_jobs,
    add_selection,
    add_training,
    cores,
    cut_pieces,
    open_data,
    reader,
    refuse_half_a_fold,
    settings,
    share,
)
from gmmaudio.cli.output import progress, remarks, tell_failures, training_table, warn_without_groups
from gmmaudio.errors import DataError
from gmmaudio.files import printable

if TYPE_CHECKING:
    from gmmaudio.corpus.manifest import Entry

log = logging.getLogger("gmmaudio")


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("train", run, "train a classifier from labelled clips")
    add_data(flags)
    flags.add_argument("-o", "--output", required=True, metavar="MODEL", help="the model file to write")
    add_training(flags)
    add_selection(flags, "train on every row whose fold is not F")
    text = "leave posteriors uncalibrated, and do not learn what is unknown: several times as fast"
    flags.add_argument("--no-calibration", action="store_true", help=text)
    text = "learn what is normal from one label, or a folder of clips, and answer unknown to what is not"
    flags.add_argument("--one-class", action="store_true", help=text)
    text = "the share of normal clips that may be answered unknown, with --one-class; default 0.05"
    flags.add_argument("--false-alarms", type=share, metavar="SHARE", help=text)
    add_isolate(flags)
    add_jobs(flags)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from gmmaudio.classify.model_file import save
    from gmmaudio.classify.one_class import FALSE_ALARMS, train_one_class
    from gmmaudio.classify.train import train
    from gmmaudio.corpus.one_label import read_one_label
    from gmmaudio.tensors import refuse_target

    refuse_half_a_fold(options)
    _refuse_mixed(options)
    output = Path(options.output)
    refuse_target(output)
    with _one_class_advised(options), reader(options) as audio:
        entries, read, own = open_data(options, audio, read_one_label if options.one_class else None)
        rows = _rows(entries, options)
        warn_without_groups(rows)
        chosen = settings(options, own)
        jobs, shown = cores(options), progress(options, "reading")
        if options.one_class:
            trained = train_one_class(rows, chosen, options.false_alarms or FALSE_ALARMS, jobs, shown, read)
        else:
            cut = None if options.no_calibration else cut_pieces(chosen.front_end, audio, own)
            trained = train(rows, chosen, jobs, shown, read, cut)
    save(trained.classifier, output)
    print(training_table(trained))
    if not options.quiet:
        print("\n".join(remarks(trained)))
    tell_failures([(failure.entry.name, failure.error) for failure in trained.failures])
    log.info("wrote %s", printable(str(output)))
    return SOME_FAILED if trained.failures else OK


def _refuse_mixed(options: argparse.Namespace) -> None:
    """Flags that belong to a model of one label, or do not."""
    if options.false_alarms is not None and not options.one_class:
        raise DataError("bad_flags", "--false-alarms is for models of one label", "add --one-class")
    if options.one_class and options.no_calibration:
        raise DataError("bad_flags", "--one-class always learns what is unknown", "leave --no-calibration out")


@contextmanager
def _one_class_advised(options: argparse.Namespace) -> Iterator[None]:
    """Where there is one label, or a folder of clips without any: there is a flag for that."""
    from gmmaudio.corpus.one_label import clips_alone

    try:
        yield
    except DataError as error:
        one = error.code == "one_class" or (error.code == "no_labels" and clips_alone(Path(options.data)))
        if options.one_class or not one:
            raise
        hint = f"{error.hint}; or add --one-class, to learn what is normal from these clips alone"
        raise DataError(error.code, error.message, hint) from error


def _rows(entries: list[Entry], options: argparse.Namespace) -> list[Entry]:
    """The rows to train on; refused where their groups also stand among the rows left out."""
    from gmmaudio.corpus.manifest import in_split
    from gmmaudio.corpus.selection import in_fold
    from gmmaudio.evaluate.heldout import refuse_straddling

    chosen = in_split(entries, options.split)
    if options.fold is not None:
        inside = in_fold(chosen, options.fold_by or "fold", options.fold)
        chosen = [entry for entry, held_out in zip(chosen, inside, strict=True) if not held_out]
    if not options.allow_leaks:
        kept = {id(entry) for entry in chosen}
        sides = ["in" if id(entry) in kept else "out" for entry in entries]
        refuse_straddling([entry.group for entry in entries], sides)
    return chosen
