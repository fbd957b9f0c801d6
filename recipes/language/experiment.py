"""What both experiments share: the options of the command line, and the hard corpus, spoken on the first run."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from corpus import Plan, make_corpus

from gmmaudio.corpus.manifest import Entry, in_split, read_corpus
from gmmaudio.parallel import cores

LENGTHS = (10.0, 3.0, 1.0)  # seconds of the pieces that are tested


def options(text: str | None) -> argparse.ArgumentParser:
    """What can be asked of either."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work", help="where the clips go")
    parser.add_argument("--languages", type=int, default=12, help="the first so many, at least 4")
    parser.add_argument("--voices", type=int, default=36, help="a third of them are for testing")
    parser.add_argument("--clips-per-voice", type=int, default=5, help="of each test voice in each language")
    parser.add_argument("--training-clips", type=int, default=2, help="of each training voice in each language")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip, at least 3")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    parser.add_argument("--jobs", type=int, default=cores(), help="threads; default: all cores")
    return parser


def speech(given: argparse.Namespace) -> tuple[list[Entry], list[Entry]]:
    """Training and test clips.

    Raises
    ------
    DataError
        As `corpus.make_corpus`; ``bad_plan``.
    """
    own = {field.name for field in fields(Plan)} & set(vars(given))
    plan = Plan(**{name: getattr(given, name) for name in own}, condition="hard")
    made = [plan.languages, plan.voices, plan.training_clips, plan.clips_per_voice, f"{plan.seconds:g}", plan.seed]
    folder = given.work / "-".join([plan.condition, *map(str, made)])
    manifest = folder / "manifest.csv"
    entries = read_corpus(manifest if manifest.exists() else make_corpus(folder, plan, given.jobs))
    training, test = in_split(entries, "train"), in_split(entries, "test")
    voices = [len({e.group for e in part}) for part in (training, test)]
    print(f"{plan.languages} languages; {len(training)} clips of {voices[0]} voices to train on, {len(test)} clips of")
    print(f"{voices[1]} other voices to test on; {plan.seconds:g} s each; noise and band of each clip its own\n")
    return training, test
