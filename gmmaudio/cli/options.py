"""What several verbs take: flags, the kinds of their values, and what they stand for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmaudio.errors import DataError

if TYPE_CHECKING:
    from gmmaudio.classify.examples import ExampleReader
    from gmmaudio.classify.inner_folds import Pieces
    from gmmaudio.classify.train import Training
    from gmmaudio.corpus.audio import Reader
    from gmmaudio.corpus.manifest import Entry
    from gmmaudio.features.frontend import FrontEnd

OK, INTERNAL, USAGE, SOME_FAILED, NONE_PROCESSED, INTERRUPTED = 0, 1, 2, 3, 4, 130

Verb = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
"""What ``add`` of a verb's module is given: a name, the function to run, and a line of help, to its parser."""


def add_data(verb: argparse.ArgumentParser, store: str = ", or a feature store") -> None:
    """DATA and --root."""
    text = f"a folder of label folders, or a CSV with the columns path and label{store}"
    verb.add_argument("data", metavar="DATA", help=text)
    verb.add_argument("--root", metavar="DIR", help="where the paths of a CSV (default: its folder) or store begin")


def add_preset(verb: argparse.ArgumentParser) -> None:
    """--preset."""
    text = "general (the default, or a feature store's own), speech, language, genre or FILE.toml"
    verb.add_argument("--preset", help=text)


def add_training(verb: argparse.ArgumentParser) -> None:
    """How a classifier is trained."""
    add_preset(verb)
    text = "ml: one mixture per label (the default); map: a background adapted to each; supervector: a linear machine"
    verb.add_argument("--method", choices=["ml", "map", "supervector"], default="ml", help=text)
    text = "per label, or of the background; default auto"
    verb.add_argument("--components", type=components, default=0, metavar="auto|K", help=text)
    verb.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")


def add_selection(verb: argparse.ArgumentParser, text: str) -> None:
    """Which rows take part."""
    verb.add_argument("--fold", metavar="F", help=text)
    verb.add_argument("--fold-by", metavar="COLUMN", help="where folds stand; default: fold")
    verb.add_argument("--split", metavar="NAME", help="only the rows of this split")
    verb.add_argument("--allow-leaks", action="store_true", help="do not refuse what makes figures worthless")


def add_report(verb: argparse.ArgumentParser) -> None:
    """How figures are given."""
    verb.add_argument("--format", choices=["text", "json"], default="text", help="default text")
    verb.add_argument("--report", metavar="DIR", help="also write the figures and a picture of the confusions there")


def add_jobs(verb: argparse.ArgumentParser) -> None:
    """--jobs."""
    verb.add_argument("--jobs", type=positive(int), metavar="N", help="threads; default: all cores")


def add_isolate(verb: argparse.ArgumentParser) -> None:
    """--isolate."""
    text = "decode in processes of their own, capped in time and memory: for audio that nobody vouches for"
    verb.add_argument("--isolate", action="store_true", help=text)


def positive(kind: type[int] | type[float]) -> Callable[[str], Any]:
    """The kind of a flag's value: a number above zero."""

    def parse(text: str) -> Any:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    parse.__name__ = kind.__name__
    return parse


def components(text: str) -> int:
    """The kind of --components: 0 for auto."""
    return 0 if text == "auto" else int(positive(int)(text))


components.__name__ = "number of components"


def share(text: str) -> float:
    """The kind of a flag's value: a share between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return value


def prior(text: str) -> dict[str, float]:
    """The kind of --prior."""
    try:
        pairs = [(name, float(value)) for name, _, value in (part.rpartition("=") for part in text.split(","))]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like A=0.7,B=0.3") from None
    weights = dict(pairs)
    if len(weights) < len(pairs):
        twice = next(name for name in weights if sum(name == other for other, _ in pairs) > 1)
        raise argparse.ArgumentTypeError(f"{twice!r} is given more than one weight; give each label one")
    return weights


def cores(options: argparse.Namespace) -> int:
    """The number of threads."""
    from gmmaudio.parallel import cores

    return int(options.jobs or cores())


@contextmanager
def reader(options: argparse.Namespace) -> Iterator[Reader]:
    """What reads audio: this process, or others with --isolate."""
    if options.isolate:
        from gmmaudio.corpus.isolate import isolated

        with isolated() as read:
            yield read
    else:
        from gmmaudio.corpus.audio import read_through

        yield read_through


def open_data(
    options: argparse.Namespace, read: Reader, corpus: Callable[[Path, Path | None], list[Entry]] | None = None
) -> tuple[list[Entry], ExampleReader, FrontEnd | None]:
    """The entries of DATA, what reads their frames, and the front end where DATA has one: a feature store.

    ``corpus`` reads a folder or a CSV; default: ``read_corpus``.
    """
    from gmmaudio.classify.examples import read_examples
    from gmmaudio.classify.stored import open_stored
    from gmmaudio.corpus.manifest import read_corpus
    from gmmaudio.features.store import is_store

    data = Path(options.data)
    if is_store(data):
        stored = open_stored(data)
        return list(stored.entries), stored.read, stored.store.front_end
    return (corpus or read_corpus)(data, root(options)), partial(read_examples, read=read), None


def root(options: argparse.Namespace) -> Path | None:
    """--root."""
    return Path(options.root) if options.root else None


def front_end(options: argparse.Namespace, own: FrontEnd | None = None) -> FrontEnd:
    """What --preset names; without it ``own``, or the preset "general"."""
    from gmmaudio.features.frontend import preset

    return own if options.preset is None and own is not None else preset(options.preset or "general")


def cut_pieces(front_end: FrontEnd, audio: Reader, own: FrontEnd | None) -> Pieces:
    """What calibration is learned on: clips cut to several lengths, or as they are in a feature store."""
    from gmmaudio.classify.inner_folds import clip_pieces, whole_clip

    return clip_pieces(front_end, read=audio) if own is None else whole_clip


def settings(options: argparse.Namespace, own: FrontEnd | None) -> Training:
    """How to train; ``own`` is the front end that DATA has, if any."""
    from gmmaudio.classify.train import Training

    return Training(front_end(options, own), options.components, options.seed, method=options.method)


def refuse_half_a_fold(options: argparse.Namespace) -> None:
    """--fold-by needs --fold."""
    if options.fold_by is not None and options.fold is None:
        raise DataError("bad_flags", "--fold-by names a column; --fold must name the value to hold out")
