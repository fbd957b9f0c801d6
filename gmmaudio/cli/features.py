"""``gmmaudio features``: a corpus in, a feature store out, which train and evaluate read many times."""

from __future__ import annotations

import argparse
import logging
from functools import partial
from pathlib import Path

from gmmaudio.cli.options import (
    NONE_PROCESSED,
    OK,
    SOME_FAILED,
    Verb,
    add_data,
    add_isolate,
    add_jobs,
    add_preset,
    cores,
    front_end,
    reader,
    root,
)
from gmmaudio.cli.output import progress, tell_failures
from gmmaudio.errors import ClipError, DataError
from gmmaudio.files import printable

log = logging.getLogger("gmmaudio")


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb(
        "features", run, "extract a corpus into a feature store; run again to go on, or to bring it up to date"
    )
    add_data(flags, store="")
    flags.add_argument("-o", "--output", required=True, metavar="STORE", help="the folder to write")
    add_preset(flags)
    flags.add_argument("--retry", action="store_true", help="try clips again that failed before")
    add_isolate(flags)
    add_jobs(flags)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from gmmaudio.classify.examples import read_example
    from gmmaudio.classify.stored import extract
    from gmmaudio.corpus.manifest import read_corpus
    from gmmaudio.features.store import is_store, open_store

    data, folder = Path(options.data), Path(options.output)
    if is_store(data):
        raise DataError("bad_flags", f"{printable(data)} is a feature store itself", "name the corpus")
    if data.is_dir() and folder.resolve().is_relative_to(data.resolve()):
        raise DataError(
            "bad_flags", "the store would lie in the corpus, and be taken for a label", "name another folder"
        )
    chosen = front_end(options, open_store(folder).front_end if is_store(folder) else None)
    entries = read_corpus(data, root(options))
    shown = progress(options, "reading")
    with reader(options) as audio:
        read = partial(read_example, read=audio)
        account = extract(entries, chosen, folder, cores(options), options.retry, shown, read)
    errors = [(row.clip.entry.name, row.outcome) for row in account.failures if isinstance(row.outcome, ClipError)]
    tell_failures(errors)
    print(f"{printable(folder)}: {len(account.rows)} clips, {len(errors)} of them failed")
    log.info("%d clips were read, %d were there, %d were dropped", account.read, account.kept, account.dropped)
    return OK if not errors else SOME_FAILED if len(errors) < len(account.rows) else NONE_PROCESSED
