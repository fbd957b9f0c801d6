"""``gmmaudio audit``: what would make figures too good to be true."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gmmaudio.cli.options import Verb, add_data, add_jobs, cores, root
from gmmaudio.cli.output import progress


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("audit", run, "find copies, divided groups, and recordings that give their label away")
    add_data(flags, store="")
    flags.add_argument("others", nargs="?", metavar="DATA", help="another corpus, such as the test clips")
    flags.add_argument("--format", choices=["text", "json"], default="text")
    add_jobs(flags)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from gmmaudio.corpus.manifest import read_corpus
    from gmmaudio.evaluate.audit import audit

    entries = read_corpus(Path(options.data), root(options))
    others = read_corpus(Path(options.others), root(options)) if options.others else ()
    found = audit(entries, others, cores(options), progress(options, "listening"))
    print(json.dumps(found.as_dict(), indent=2) if options.format == "json" else found.as_text())
    return found.exit_status
