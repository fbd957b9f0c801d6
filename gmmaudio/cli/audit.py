"""``gmmaudio audit``: what would make figures too good to be true."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gmmaudio.cli.options import Verb, add_data, add_isolate, add_jobs, cores, reader, root
from gmmaudio.cli.output import progress
from gmmaudio.errors import DataError
from gmmaudio.files import printable

if TYPE_CHECKING:
    from gmmaudio.corpus.audio import Reader
    from gmmaudio.corpus.manifest import Entry
    from gmmaudio.evaluate.audit import Audit
    from gmmaudio.evaluate.finding import Finding


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("audit", run, "find copies, divided groups, and recordings that give their label away")
    add_data(flags, store=", or a feature store, of which only groups and exact copies can be audited")
    flags.add_argument("others", nargs="?", metavar="DATA", help="another corpus, such as the test clips")
    flags.add_argument("--format", choices=["text", "json"], default="text", help="default text")
    add_isolate(flags)
    add_jobs(flags)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    with reader(options) as audio:
        found = _audit(options, audio)
    print(json.dumps(found.as_dict(), indent=2) if options.format == "json" else found.as_text())
    return found.exit_status


def _audit(options: argparse.Namespace, read: Reader) -> Audit:
    from gmmaudio.classify.stored import open_stored
    from gmmaudio.corpus.manifest import read_corpus
    from gmmaudio.evaluate.audit import audit, audit_stored
    from gmmaudio.features.store import is_store

    corpora = [Path(options.data), *([Path(options.others)] if options.others else [])]
    stores = [data for data in corpora if is_store(data)]
    if len(corpora) == len(stores) == 1:
        return audit_stored(open_stored(stores[0]))
    if stores:
        text = f"{printable(stores[0])} is a feature store, which holds no sound to compare two corpora by"
        raise DataError("bad_flags", text, "name the corpora themselves")
    mine = read_corpus(corpora[0], root(options))
    others = read_corpus(corpora[1], root(options)) if options.others else []
    return audit(mine, others, cores(options), progress(options, "listening"), read)


def findings(options: argparse.Namespace, entries: Sequence[Entry], read: Reader) -> Sequence[Finding]:
    """What an audit of the clips of an evaluation finds, for its report."""
    from gmmaudio.classify.stored import open_stored
    from gmmaudio.evaluate.audit import audit, audit_stored
    from gmmaudio.features.store import is_store

    if is_store(Path(options.data)):
        return audit_stored(open_stored(Path(options.data)), entries).findings
    return audit(entries, jobs=cores(options), progress=progress(options, "auditing"), read=read).findings
