"""The command line: each verb parses, calls one library function, and prints.

Results go to stdout, progress and diagnostics to stderr. Everything heavy is imported inside the verbs, so that
``--help`` costs no more than Python itself. A verb is a module here whose ``add`` describes it; ``VERBS`` is the order
in which they are shown.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import shlex
import sys
from collections.abc import Callable, Sequence

from gmmaudio import __version__
from gmmaudio.cli import audit, compare, crossval, demo, evaluate, features, inspect, score, train
from gmmaudio.cli.options import INTERNAL, INTERRUPTED, OK, USAGE
from gmmaudio.errors import GmmaudioError

log = logging.getLogger("gmmaudio")

VERBS = (demo, train, score, evaluate, crossval, compare, features, audit, inspect)

EXAMPLES = """\
examples:
  gmmaudio demo
  gmmaudio train recordings/ -o model.safetensors --preset speech
  gmmaudio score model.safetensors new/*.wav
  gmmaudio crossval recordings.csv --fold-by speaker
  gmmaudio features recordings.csv -o store/ --preset speech && gmmaudio train store/ -o model.safetensors

exit status: 0 all good, 2 wrong flags or data, 3 some clips failed, 4 nothing could be processed,
5 model, store or manifest invalid, 130 interrupted, 1 internal error"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(given)
    options.command = shlex.join(["gmmaudio", *given])
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

    for module in VERBS:
        module.add(verb)
    return top
