"""What several verbs print: progress, failures, tables, nested facts."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmaudio.cli.options import OK, SOME_FAILED, root
from gmmaudio.errors import GmmaudioError
from gmmaudio.files import printable

if TYPE_CHECKING:
    from gmmaudio.classify.train import Trained
    from gmmaudio.corpus.audio import Reader
    from gmmaudio.corpus.manifest import Entry
    from gmmaudio.evaluate.durations import Durations

log = logging.getLogger("gmmaudio")


def print_figures(
    found: Any,
    pooled: Any,
    options: argparse.Namespace,
    entries: Sequence[Entry],
    model: Mapping[str, Any],
    read: Reader,
    rate: int,
    durations: Durations | None = None,
) -> int:
    """Print an evaluation (or a cross-validation and its pooled part), write the report, give the status.

    The report shows the model's facts, audits the entries and plays some of their clips, which ``read`` reads again;
    those are played whose samples at ``rate`` are what was scored.
    """
    from gmmaudio.evaluate.durations import as_json, as_text

    if options.report:
        from gmmaudio.cli.audit import findings
        from gmmaudio.evaluate.page import Context
        from gmmaudio.evaluate.report import write_report

        kind = "evaluation" if found is pooled else "cross-validation"
        data = Path(options.data).resolve()
        title = f"{data.parent.name}/{data.name}: {kind}" if data.is_file() else f"{data.name}: {kind}"
        more = findings(options, entries, read), durations, read, rate
        context = Context(title, options.command, model, at_hand(options, entries), *more)
        write_report(Path(options.report), found, pooled, context, durations)
        log.info("wrote %s", printable(options.report))
    print((as_json if options.format == "json" else as_text)(found, durations))
    for record in pooled.errors:
        log.warning("skipped %s", named(record["path"], record["error"]["message"]))
    return SOME_FAILED if pooled.errors else OK


def warn_without_groups(entries: Sequence[Entry]) -> None:
    """Say loudly that nothing is known of which clips belong together."""
    if all(entry.group is None for entry in entries):
        log.warning(
            "WARNING: NO GROUPS. Nothing says which clips are of one speaker, artist or source recording; where"
            " training and test share one, figures are far too good.\n  hint: add a column 'group' to the manifest"
        )


def at_hand(options: argparse.Namespace, entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries whose files are known: those of a feature store lie below --root, if it is given."""
    from gmmaudio.evaluate.worst import below
    from gmmaudio.features.store import is_store

    return below(entries, root(options)) if is_store(Path(options.data)) else entries


def progress(options: argparse.Namespace, what: str) -> Callable[[int, int], None] | None:
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


def tell_failures(failures: Sequence[tuple[str, GmmaudioError]]) -> None:
    """Say which clips were skipped, and why."""
    for name, error in failures:
        log.warning("skipped %s", named(name, str(error)))


def named(name: str, message: str) -> str:
    """A message that says which clip it is about, once."""
    shown = printable(name)
    return message if shown in message else f"{shown}: {message}"


def training_table(trained: Trained) -> str:
    """What each label was trained on."""
    width = max(5, *(len(printable(row.label)) for row in trained.classes))
    lines = [f"{'label':{width}}  clips  groups  minutes voiced  components  skipped"]
    for row in trained.classes:
        groups = row.groups or "-"
        lines.append(
            f"{printable(row.label):{width}}  {row.clips:5}  {groups:>6}  {row.voiced_seconds / 60:14.2f}"
            f"  {row.components:10}  {row.skipped:7}"
        )
    return "\n".join(lines)


def remarks(trained: Trained) -> list[str]:
    """What is too little, odd or worth knowing about a training run; the same of several labels once."""
    lines = [f"warning: {printable(text)}" for text in trained.warnings]
    likewise: dict[str, list[tuple[str, str]]] = {}
    for row in trained.classes:
        for remark in row.remarks:
            likewise.setdefault(re.sub(r"[\d.]+", "#", remark), []).append((printable(row.label), remark))
    for (first, remark), *others in likewise.values():
        names = ", ".join(label for label, _ in others[:5]) + (", ..." if len(others) > 5 else "")
        lines.append(f"note: {first}: {remark}" + (f" (and the like for {names})" if others else ""))
    return [*lines, *(f"note: {printable(text)}" for text in trained.notes)]


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
