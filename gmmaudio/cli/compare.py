"""``gmmaudio compare``: a paired test of two evaluations of the same clips."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gmmaudio.cli.options import OK, Verb


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("compare", run, "say whether two evaluations of the same clips differ by more than chance")
    flags.add_argument("first", metavar="A.json", help="what evaluate or crossval --format json printed")
    flags.add_argument("second", metavar="B.json", help="the same of another model, on the same clips")
    flags.add_argument("--format", choices=["text", "json"], default="text", help="default text")


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from gmmaudio.evaluate.compare import compare_files

    found = compare_files(Path(options.first), Path(options.second))
    print(json.dumps(found.as_dict(), indent=2) if options.format == "json" else found.as_text())
    return OK
