"""``gmmaudio demo``: the first command."""

from __future__ import annotations

import argparse
from pathlib import Path

from gmmaudio.cli.options import Verb, add_jobs, cores


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("demo", run, "make a synthetic corpus, train on it, evaluate, score: the first command")
    flags.add_argument("folder", nargs="?", default="gmmaudio-demo", metavar="DIR", help="default: %(default)s")
    add_jobs(flags)


def run(options: argparse.Namespace) -> int:
    """Run the verb."""
    from gmmaudio.cli import main
    from gmmaudio.demo import run_demo

    flags = ["--jobs", str(cores(options))] + ["-q"] * options.quiet + ["-v"] * options.verbose
    return run_demo(Path(options.folder), flags, main)
