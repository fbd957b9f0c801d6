"""The command line: each verb parses, calls one library function, and prints.

Results go to stdout, progress and diagnostics to stderr. Everything heavy is imported inside the verbs, so that
``--help`` costs no more than Python itself.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmaudio import __version__
from gmmaudio.errors import ClipError, DataError, GmmaudioError
from gmmaudio.files import printable

if TYPE_CHECKING:
    from gmmaudio.classify.train import Trained, Training
    from gmmaudio.corpus.manifest import Entry

log = logging.getLogger("gmmaudio")

PARTS = ("fold", "split", "label")  # columns that cut a corpus but name nobody
OK, INTERNAL, USAGE, SOME_FAILED, NONE_PROCESSED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit status."""
    options = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a label or a name may hold what the terminal cannot show
    log.handlers = [logging.StreamHandler(sys.stderr)]
    log.propagate = False
    log.setLevel(logging.DEBUG if options.verbose else logging.ERROR if options.quiet else logging.INFO)
    try:
        status: int = options.verb(options)
        sys.stdout.flush()
        return status
    except GmmaudioError as error:
        log.error("error: %s", error, exc_info=options.verbose)
        return error.exit_status
    except KeyboardInterrupt:
        log.error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        log.error("error: %s", error, exc_info=options.verbose)
        return USAGE
    except Exception as error:
        log.error("internal error: %s: %s", type(error).__name__, error, exc_info=options.verbose)
        log.error("  hint: run again with -v for the details, and please report them")
        return INTERNAL


EXAMPLES = """\
examples:
  gmmaudio demo
  gmmaudio train recordings/ -o model.safetensors --preset speech
  gmmaudio score model.safetensors new/*.wav
  gmmaudio crossval recordings.csv --fold-by speaker

exit status: 0 all good, 2 wrong flags or data, 3 some clips failed, 4 nothing could be processed,
5 model or manifest invalid, 130 interrupted, 1 internal error"""


# --- what the verbs take -------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="gmmaudio",
        description="Train, score and evaluate audio classifiers built on Gaussian mixtures.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"gmmaudio {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-v", "--verbose", action="store_true", help="say more; show the details of an error")
    common.add_argument("-q", "--quiet", action="store_true", help="no progress and no notes: results and errors only")
    verbs = top.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", parents=[common])
        added.set_defaults(verb=run)
        return added

    demo = verb("demo", _demo, "make a synthetic corpus, train on it, evaluate, score: the first command")
    demo.add_argument("folder", nargs="?", default="gmmaudio-demo", metavar="DIR", help="default: %(default)s")
    _jobs(demo)

    train = verb("train", _train, "train a classifier from labelled clips")
    _data(train)
    train.add_argument("-o", "--output", required=True, metavar="MODEL", help="the model file to write")
    _training(train)
    _selection(train, "train on every row whose fold is not F")
    _jobs(train)

    score = verb("score", _score, "label new clips")
    score.add_argument("model", metavar="MODEL")
    score.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder, or @list (a file of paths)")
    score.add_argument("--format", choices=["text", "json", "jsonl", "csv"], default="text")
    score.add_argument("--top", type=_positive(int), default=1, metavar="N", help="labels shown per clip in text")
    score.add_argument("--among", type=lambda text: text.split(","), metavar="A,B", help="consider these labels only")
    score.add_argument("--prior", type=_prior, metavar="A=0.7,B=0.3", help="weights of labels; default all equal")
    score.add_argument("--window", type=_positive(float), metavar="S", help="decide per window of so many seconds")
    score.add_argument("--hop", type=_positive(float), metavar="S", help="seconds between windows; default: the window")
    _jobs(score)

    evaluate = verb("evaluate", _evaluate, "evaluate a model on labelled clips that it has not seen")
    evaluate.add_argument("model", metavar="MODEL")
    _data(evaluate)
    _selection(evaluate, "evaluate on the rows whose fold is F")
    _report(evaluate)
    _jobs(evaluate)

    crossval = verb("crossval", _crossval, "train and evaluate by cross-validation")
    _data(crossval)
    cut = crossval.add_mutually_exclusive_group()
    cut.add_argument("--folds", type=_positive(int), default=5, metavar="N", help="group-disjoint folds; default 5")
    cut.add_argument("--fold-by", metavar="COLUMN", help="hold out each value of this column in turn")
    crossval.add_argument("--allow-leaks", action="store_true", help="let a group stand in several folds")
    _training(crossval)
    _report(crossval)
    _jobs(crossval)

    inspect = verb("inspect", _inspect, "say what a model or a clip is")
    inspect.add_argument("path", metavar="MODEL|CLIP")
    inspect.add_argument("--format", choices=["text", "json"], default="text")
    return top


def _data(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "data", metavar="DATA", help="a folder of label folders, or a CSV with the columns path and label"
    )
    verb.add_argument("--root", metavar="DIR", help="what the CSV's paths are relative to; default: its folder")


def _training(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--preset", default="general", help="general (the default), speech, language, genre or FILE.toml")
    verb.add_argument("--method", choices=["ml"], default="ml", help="ml: maximum likelihood, one mixture per label")
    verb.add_argument("--components", type=_components, default=0, metavar="auto|K", help="per label; default auto")
    verb.add_argument("--seed", type=int, default=0, help="default 0")


def _selection(verb: argparse.ArgumentParser, text: str) -> None:
    verb.add_argument("--fold", metavar="F", help=text)
    verb.add_argument("--fold-by", metavar="COLUMN", help="where folds stand; default: fold")
    verb.add_argument("--split", metavar="NAME", help="only the rows of this split")
    verb.add_argument("--allow-leaks", action="store_true", help="do not refuse what makes figures worthless")


def _report(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--format", choices=["text", "json"], default="text")
    verb.add_argument("--report", metavar="DIR", help="also write the figures and a picture of the confusions there")


def _jobs(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--jobs", type=_positive(int), metavar="N", help="threads; default: all cores")


def _positive(kind: type[int] | type[float]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    parse.__name__ = kind.__name__
    return parse


def _components(text: str) -> int:
    return 0 if text == "auto" else int(_positive(int)(text))


_components.__name__ = "number of components"


def _prior(text: str) -> dict[str, float]:
    try:
        return {name: float(value) for name, _, value in (part.rpartition("=") for part in text.split(","))}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like A=0.7,B=0.3") from None


# --- the verbs -------------------------------------------------------------------------------------------------------


def _demo(options: argparse.Namespace) -> int:
    from gmmaudio.demo import run_demo

    flags = ["--jobs", str(_cores(options))] + ["-q"] * options.quiet + ["-v"] * options.verbose
    return run_demo(Path(options.folder), flags, main)


def _train(options: argparse.Namespace) -> int:
    from gmmaudio.classify.model_file import save
    from gmmaudio.classify.train import train
    from gmmaudio.tensors import refuse_target

    _refuse_half_a_fold(options)
    output = Path(options.output)
    refuse_target(output)
    entries = _training_rows(options)
    trained = train(entries, _settings(options), _cores(options), _progress(options, "reading"))
    save(trained.classifier, output)
    print(training_table(trained))
    _tell_failures([(failure.entry.name, failure.error) for failure in trained.failures])
    log.info("wrote %s", printable(str(output)))
    return SOME_FAILED if trained.failures else OK


def _score(options: argparse.Namespace) -> int:
    from gmmaudio.classify.model_file import load
    from gmmaudio.classify.results import WRITERS, Results
    from gmmaudio.classify.timeline import score_windows
    from gmmaudio.corpus.manifest import expand

    if options.hop is not None and options.window is None:
        raise DataError("bad_flags", "--hop needs --window")
    classifier = load(options.model)
    paths = expand(options.paths)
    if not paths:
        raise DataError("no_clips", "there are no audio files under the paths given")
    results: Results
    if options.window is None:
        found = classifier.score_all(paths, options.prior, options.among, _cores(options))
        results = ((path, [decision]) for path, decision in zip(paths, found, strict=True))
    else:
        windows = (options.window, options.hop or options.window)
        results = score_windows(classifier, paths, windows, options.prior, options.among, _cores(options))
    counts = WRITERS[options.format](sys.stdout, classifier.labels, results, options.top)
    if options.format == "text" and counts.failed < counts.clips:
        log.info("the posteriors are not calibrated: far too sure, for the frames of a clip are not independent")
    if counts.failed:
        log.error("%d of %d clips failed", counts.failed, counts.clips)
    return OK if not counts.failed else SOME_FAILED if counts.failed < counts.clips else NONE_PROCESSED


def _evaluate(options: argparse.Namespace) -> int:
    from gmmaudio.classify.model_file import load
    from gmmaudio.corpus.manifest import in_split, read_corpus
    from gmmaudio.corpus.selection import in_fold
    from gmmaudio.evaluate.heldout import evaluate

    _refuse_half_a_fold(options)
    classifier = load(options.model)
    entries = in_split(read_corpus(Path(options.data), _root(options)), options.split)
    if options.fold is not None:
        inside = in_fold(entries, options.fold_by or "fold", options.fold)
        entries = [entry for entry, kept in zip(entries, inside, strict=True) if kept]
    found = evaluate(classifier, entries, _cores(options), options.allow_leaks, _progress(options, "scoring"))
    return _print_figures(found, found, options)


def _crossval(options: argparse.Namespace) -> int:
    from gmmaudio.corpus.manifest import read_corpus
    from gmmaudio.corpus.selection import column_folds
    from gmmaudio.corpus.splits import group_folds
    from gmmaudio.evaluate.heldout import cross_validate

    entries = read_corpus(Path(options.data), _root(options))
    if options.fold_by is None:
        if any(entry.fold for entry in entries):
            log.info("the corpus has folds of its own, which --fold-by fold would use; these are new ones")
        labels, groups = [entry.label for entry in entries], [entry.group for entry in entries]
        folds = [str(fold + 1) for fold in group_folds(labels, groups, options.folds, options.seed)]
    else:
        folds = column_folds(entries, options.fold_by)
        if options.fold_by not in PARTS and not any(entry.group for entry in entries):
            log.info("no groups are known: the column %s, held out value by value, is taken for them", options.fold_by)
            entries = [replace(entry, group=fold) for entry, fold in zip(entries, folds, strict=True)]
    found = cross_validate(
        entries,
        folds,
        _settings(options),
        _cores(options),
        options.allow_leaks,
        _progress(options, "reading"),
    )
    return _print_figures(found, found.pooled, options)


def _inspect(options: argparse.Namespace) -> int:
    from gmmaudio.classify.describe import describe

    try:
        facts = describe(options.path)
    except ClipError as error:  # the only clip there is
        log.error("error: %s", error)
        return NONE_PROCESSED
    print(json.dumps(facts, indent=2) if options.format == "json" else "\n".join(outline(facts)))
    return OK


# --- what they share -----------------------------------------------------------------------------------------------


def _cores(options: argparse.Namespace) -> int:
    from gmmaudio.parallel import cores

    return int(options.jobs or cores())


def _root(options: argparse.Namespace) -> Path | None:
    return Path(options.root) if options.root else None


def _settings(options: argparse.Namespace) -> Training:
    from gmmaudio.classify.train import Training
    from gmmaudio.features.frontend import preset

    return Training(preset(options.preset), options.components, options.seed)


def _refuse_half_a_fold(options: argparse.Namespace) -> None:
    if options.fold_by is not None and options.fold is None:
        raise DataError("bad_flags", "--fold-by names a column; --fold must name the value to hold out")


def _training_rows(options: argparse.Namespace) -> list[Entry]:
    """The rows to train on; refused where their groups also stand among the rows left out."""
    from gmmaudio.corpus.manifest import in_split, read_corpus
    from gmmaudio.corpus.selection import in_fold
    from gmmaudio.evaluate.heldout import refuse_straddling

    entries = read_corpus(Path(options.data), _root(options))
    chosen = in_split(entries, options.split)
    if options.fold is not None:
        inside = in_fold(chosen, options.fold_by or "fold", options.fold)
        chosen = [entry for entry, held_out in zip(chosen, inside, strict=True) if not held_out]
    if not options.allow_leaks:
        kept = {id(entry) for entry in chosen}
        sides = ["in" if id(entry) in kept else "out" for entry in entries]
        refuse_straddling([entry.group for entry in entries], sides)
    return chosen


def _print_figures(found: Any, pooled: Any, options: argparse.Namespace) -> int:
    """Print an evaluation (or a cross-validation and its pooled part), write the report, give the status."""
    print(json.dumps(found.as_dict(), indent=2) if options.format == "json" else found.as_text())
    if options.report:
        from gmmaudio.evaluate.report import write_report

        write_report(Path(options.report), found, pooled)
        log.info("wrote %s", printable(options.report))
    for record in pooled.errors:
        log.warning("skipped %s", named(record["path"], record["error"]["message"]))
    return SOME_FAILED if pooled.errors else OK


def _progress(options: argparse.Namespace, what: str) -> Callable[[int, int], None] | None:
    """A bar on stderr, where that is a terminal."""
    if options.quiet or not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    bar = tqdm(desc=what, unit="clip", leave=False, file=sys.stderr)

    def tell(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return tell


def _tell_failures(failures: Sequence[tuple[str, GmmaudioError]]) -> None:
    for name, error in failures:
        log.warning("skipped %s", named(name, str(error)))


def named(name: str, message: str) -> str:
    """A message that says which clip it is about, once."""
    shown = printable(name)
    return message if shown in message else f"{shown}: {message}"


def training_table(trained: Trained) -> str:
    """What each label was trained on, and what is too little of it."""
    width = max(5, *(len(printable(row.label)) for row in trained.classes))
    lines = [f"{'label':{width}}  clips  groups  minutes voiced  components  skipped"]
    for row in trained.classes:
        groups = row.groups or "-"
        lines.append(
            f"{printable(row.label):{width}}  {row.clips:5}  {groups:>6}  {row.voiced_seconds / 60:14.2f}"
            f"  {row.components:10}  {row.skipped:7}"
        )
    lines += [f"warning: {printable(text)}" for text in trained.warnings]
    lines += [f"note: {printable(row.label)}: {remark}" for row in trained.classes for remark in row.remarks]
    if not any(row.groups for row in trained.classes):
        lines.append("note: no groups (speaker, artist, source recording) are known, so no split can be trusted")
    return "\n".join(lines)


def outline(facts: dict[str, Any], indent: str = "") -> list[str]:
    """Nested facts as indented lines."""
    lines = []
    for key, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}", *outline(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"{indent}{key}", *(line for item in value for line in outline(item, indent + "  "))]
        else:
            text = shortened(value) if isinstance(value, list) else value
            lines.append(printable(f"{indent}{key}: {text}"))
    return lines


def shortened(values: list[Any], most: int = 12) -> str:
    """The values of a list, or its ends and its length."""
    shown = values if len(values) <= most else [*values[:2], "...", values[-1]]
    return ", ".join(map(str, shown)) + (f" ({len(values)} values)" if len(values) > most else "")
