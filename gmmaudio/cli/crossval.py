"""``gmmaudio crossval``: figures by cross-validation."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from gmmaudio.cli.options import (
    Verb,
    add_data,
    add_isolate,
    add_jobs,
    add_report,
    add_training,
    cores,
    cut_pieces,
    open_data,
    positive,
    reader,
    settings,
)
from gmmaudio.cli.output import print_figures, progress, warn_without_groups

if TYPE_CHECKING:
    from gmmaudio.corpus.manifest import Entry

log = logging.getLogger("gmmaudio")

PARTS = ("fold", "split", "label")  # columns that cut a corpus but name nobody


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("crossval", run, "train and evaluate by cross-validation")
    add_data(flags)
    cut = flags.add_mutually_exclusive_group()
    cut.add_argument("--folds", type=positive(int), default=5, metavar="N", help="group-disjoint folds; default 5")
    cut.add_argument("--fold-by", metavar="COLUMN", help="hold out each value of this column in turn")
    flags.add_argument("--allow-leaks", action="store_true", help="let a group stand in several folds")
    text = "calibrate each fold's classifier on pieces of its training clips: several times as long"
    flags.add_argument("--calibrate", action="store_true", help=text)
    add_training(flags)
    add_report(flags)
    add_isolate(flags)
    add_jobs(flags)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from gmmaudio.evaluate.heldout import cross_validate

    with reader(options) as audio:
        entries, read, own = open_data(options, audio)
        entries, folds = _folds(entries, options)
        warn_without_groups(entries)
        chosen = settings(options, own)
        found = cross_validate(
            entries,
            folds,
            chosen,
            cores(options),
            options.allow_leaks,
            progress(options, "reading"),
            read,
            cut_pieces(chosen.front_end, audio, own) if options.calibrate else None,
        )
        known = asdict(chosen) | {"components": chosen.components or "auto", "front_end": chosen.front_end.as_dict()}
        return print_figures(found, found.pooled, options, entries, known, audio, chosen.front_end.rate)


def _folds(entries: list[Entry], options: argparse.Namespace) -> tuple[list[Entry], list[str]]:
    """The fold of each entry; and the entries, with groups where the column says who they are."""
    from gmmaudio.corpus.selection import column_folds
    from gmmaudio.corpus.splits import group_folds

    if options.fold_by is None:
        if any(entry.fold for entry in entries):
            log.info("the corpus has folds of its own, which --fold-by fold would use; these are new ones")
        labels, groups = [entry.label for entry in entries], [entry.group for entry in entries]
        return entries, [str(fold + 1) for fold in group_folds(labels, groups, options.folds, options.seed)]
    folds = column_folds(entries, options.fold_by)
    if options.fold_by not in PARTS and not any(entry.group for entry in entries):
        log.info("no groups are known: the column %s, held out value by value, is taken for them", options.fold_by)
        entries = [replace(entry, group=fold) for entry, fold in zip(entries, folds, strict=True)]
    return entries, folds
