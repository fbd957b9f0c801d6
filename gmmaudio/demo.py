"""The first command: a synthetic corpus, a classifier trained on some of its speakers, evaluated on others.

It runs the very commands that a user would type, and prints them.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from gmmaudio.corpus.manifest import in_split, read_corpus
from gmmaudio.corpus.synth import write_corpus

INTRODUCTION = """\
Four invented "languages", synthesised by this program: eight speakers each, differing in vocal-tract length,
pitch and pace. Nobody speaks them; they only show how the program works."""


def run_demo(folder: Path, flags: Sequence[str], run: Callable[[Sequence[str]], int]) -> int:
    """Write the corpus to ``folder`` and run train, evaluate, score and inspect on it.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    flags : sequence of str
        Added to train, evaluate and score.
    run : callable
        The command line: arguments in, exit status out.

    Returns
    -------
    int
        0, or the first exit status that is not.
    """
    print(INTRODUCTION)
    manifest = write_corpus(folder)
    entries = read_corpus(manifest)
    print(f"\nWrote {len(entries)} clips to {folder}, listed in {manifest}.")
    model = str(folder / "model.safetensors")
    held_out = in_split(entries, "test")
    some = [str(held_out[index].path) for index in range(0, len(held_out), max(1, len(held_out) // 3))][:3]
    for arguments in (
        ["train", str(manifest), "--split", "train", "--preset", "speech", "--components", "8", "-o", model, *flags],
        ["evaluate", model, str(manifest), "--split", "test", *flags],
        ["score", model, "--top", "2", *flags, *some],
    ):
        print(f"\n$ gmmaudio {shlex.join(arguments)}", flush=True)
        status = run(arguments)
        if status != 0:
            return status
    print(
        "\nNow with your own audio: a folder with one sub-folder per label, or a CSV with the columns path and label:"
    )
    print("\n    gmmaudio train recordings/ -o model.safetensors\n    gmmaudio score model.safetensors new/*.wav")
    return 0
