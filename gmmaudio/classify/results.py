"""Decisions as text, JSON, JSON lines and CSV, in the order given, one by one as they come; and timelines as labels."""

from __future__ import annotations

import csv
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from gmmaudio.classify.annotations import audacity, text_grid
from gmmaudio.classify.classifier import Decision
from gmmaudio.classify.timeline import Window
from gmmaudio.errors import ClipError
from gmmaudio.files import printable

log = logging.getLogger("gmmaudio")

Found = Decision | ClipError | Window
Results = Iterable[tuple[Path, Sequence[Found]]]


@dataclass
class Counts:
    """Clips seen so far, and those among them that gave no decision at all."""

    clips: int = 0
    failed: int = 0


def records(results: Results, counts: Counts) -> Iterator[dict[str, Any]]:
    """One object per decision, or error, as DESIGN's ``score --format jsonl`` prints it."""
    for path, found in results:
        counts.clips += 1
        rows = [_record(str(path), one) for one in found]
        counts.failed += all("error" in row for row in rows)
        yield from rows


def _record(path: str, found: Found) -> dict[str, Any]:
    if isinstance(found, Window):
        return {**_record(path, found.found), "start": found.start, "end": found.end}
    if isinstance(found, ClipError):
        return {"path": path, "error": found.record()}
    return {"path": path, **found.as_dict()}


def write_text(out: TextIO, labels: Sequence[str], results: Results, top: int) -> Counts:
    """``path  label posterior  label posterior ...``, best first."""
    del labels
    counts = Counts()
    for row in records(results, counts):
        span = f" [{row['start']:.2f}-{row['end']:.2f} s]" if "start" in row else ""
        out.write(f"{printable(row['path'])}{span}  {_verdict(row, top)}\n")
    return counts


def _verdict(row: dict[str, Any], top: int) -> str:
    if "error" in row:
        hint = f" ({printable(row['error']['hint'])})" if row["error"]["hint"] else ""
        return f"error {row['error']['code']}: {printable(row['error']['message'])}{hint}"
    warned = "".join(f"  ({warning['code']})" for warning in row["warnings"])
    if "threshold" in row:
        score, *_ = row["scores"].values()
        label = "unknown" if row["unknown"] else printable(row["label"])
        return f"{label}  {score:.3f} (threshold {row['threshold']:.3f})" + warned
    # Posteriors that are not calibrated are mostly 0: among these the scores say which is next.
    best = sorted(row["posteriors"].items(), key=lambda item: (item[1], row["scores"][item[0]]), reverse=True)[:top]
    named = "  ".join(f"{printable(label)} {posterior:.3f}" for label, posterior in best)
    return ("unknown  " if row["unknown"] else "") + named + warned


def write_json(out: TextIO, labels: Sequence[str], results: Results, top: int) -> Counts:
    """One array of the objects."""
    del labels, top
    counts = Counts()
    opening = "[\n"
    for row in records(results, counts):
        out.write(opening + json.dumps(row, allow_nan=False))
        opening = ",\n"
    out.write("\n]\n" if counts.clips else "[]\n")
    return counts


def write_jsonl(out: TextIO, labels: Sequence[str], results: Results, top: int) -> Counts:
    """One object per line."""
    del labels, top
    counts = Counts()
    for row in records(results, counts):
        out.write(json.dumps(row, allow_nan=False) + "\n")
    return counts


def write_csv(out: TextIO, labels: Sequence[str], results: Results, top: int) -> Counts:
    """One row per decision, with a score and a posterior column per label, and at the end why a clip failed."""
    del top
    counts = Counts()
    table = csv.writer(out, lineterminator="\n")
    fixed = [
        "path",
        "start",
        "end",
        "label",
        "unknown",
        "calibrated",
        "margin",
        "seconds",
        "voiced_seconds",
        "warnings",
        "error",
    ]
    reasons = ["error_message", "error_hint"]  # behind the scores: what reads the columns before by place still does
    heads = [f"{kind}:{label}" for kind in ("score", "posterior") for label in labels]
    table.writerow(fixed + heads + reasons)
    for row in records(results, counts):
        row["warnings"] = " ".join(warning["code"] for warning in row.get("warnings", []))
        error = row.pop("error", {})
        row |= {"error": error.get("code"), "error_message": error.get("message"), "error_hint": error.get("hint")}
        scores = [row.get(kind, {}).get(label) for kind in ("scores", "posteriors") for label in labels]
        values = [*map(row.get, fixed), *scores, *map(row.get, reasons)]
        table.writerow([_cell(value) for value in values])
    return counts


def write_audacity(out: TextIO, labels: Sequence[str], results: Results, top: int) -> Counts:
    """Audacity's labels of one recording's timeline."""
    del labels, top
    return _write_timeline(out, results, audacity)


def write_text_grid(out: TextIO, labels: Sequence[str], results: Results, top: int) -> Counts:
    """Praat's TextGrid of one recording's timeline."""
    del labels, top
    return _write_timeline(out, results, text_grid)


def _write_timeline(out: TextIO, results: Results, form: Callable[[Sequence[Window]], str]) -> Counts:
    """What has no place in the file, why nothing was decided, is logged."""
    counts = Counts()
    for path, found in results:
        windows = [one for one in found if isinstance(one, Window)]
        errors = [row["error"] for row in records([(path, found)], counts) if "error" in row]
        if windows:
            out.write(form(windows))
            for code, number in Counter(error["code"] for error in errors).items():
                log.warning("%s: %d of %d windows left empty (%s)", printable(path), number, len(windows), code)
        for error in errors if not windows else []:
            log.error("error: %s [%s]", printable(error["message"]), error["code"])
    return counts


def _cell(value: object) -> object:
    return "" if value is None else printable(value) if isinstance(value, str) else value


Writer = Callable[[TextIO, Sequence[str], Results, int], Counts]
WRITERS: dict[str, Writer] = {
    "text": write_text,
    "json": write_json,
    "jsonl": write_jsonl,
    "csv": write_csv,
    "audacity": write_audacity,
    "textgrid": write_text_grid,
}
