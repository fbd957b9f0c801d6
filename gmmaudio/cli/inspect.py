"""``gmmaudio inspect``: what a model, a store or a clip is."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from gmmaudio.cli.options import NONE_PROCESSED, OK, Verb, add_isolate, add_preset, front_end, reader
from gmmaudio.cli.output import outline
from gmmaudio.errors import ClipError, DataError
from gmmaudio.files import printable

if TYPE_CHECKING:
    from gmmaudio.corpus.audio import Reader

log = logging.getLogger("gmmaudio")


def add(verb: Verb) -> None:
    """Describe the verb."""
    flags = verb("inspect", run, "say what a model, a feature store or a clip is")
    flags.add_argument("path", metavar="MODEL|STORE|CLIP", help="a model file, a store's folder or a clip")
    flags.add_argument("--plot", metavar="FILE", help="also write a picture of the clip or model there")
    flags.add_argument("--format", choices=["text", "json"], default="text", help="default text")
    add_preset(flags)
    add_isolate(flags)


def run(options: argparse.Namespace) -> int:
    """Print the facts; draw the clip."""
    from gmmaudio.classify.describe import describe, in_words

    try:
        with reader(options) as audio:
            if options.plot:
                _plot(options, audio)
            facts = describe(options.path, front_end(options), audio)
    except ClipError as error:  # the only clip there is
        log.error("error: %s", error)
        return NONE_PROCESSED
    print(json.dumps(facts, indent=2) if options.format == "json" else "\n".join(outline(in_words(facts))))
    return OK


def _plot(options: argparse.Namespace, read: Reader) -> None:
    from gmmaudio.classify.describe import is_clip
    from gmmaudio.features.store import is_store

    if is_store(Path(options.path)):
        raise DataError("bad_flags", "--plot draws clips and models; there are no pictures of stores")
    if is_clip(options.path):
        from gmmaudio.corpus.audio import Clip, joined
        from gmmaudio.evaluate.clip_picture import clip_picture

        chosen = front_end(options)
        samples, facts = read(options.path, chosen.rate, joined)
        clip = Clip(samples, facts.rate, Path(options.path), facts.warnings)
        clip_picture(clip, chosen, Path(options.plot))
    else:
        from gmmaudio.classify.model_file import load
        from gmmaudio.evaluate.model_picture import model_picture

        model_picture(load(options.path), options.plot)
    log.info("wrote %s", printable(options.plot))
