"""The report as one HTML page that needs nothing else: no network, no library, no other file.

It is put together here, from top to bottom; `gmmaudio.evaluate.sections` has its parts. The page tells the browser
to load nothing from anywhere and to run no script but its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import gmmaudio
from gmmaudio.corpus.audio import Reader, read_through
from gmmaudio.corpus.manifest import Entry
from gmmaudio.evaluate import score_sections, sections
from gmmaudio.evaluate.durations import Durations
from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.evaluation_text import extent
from gmmaudio.evaluate.figures import headlines, headlines_of
from gmmaudio.evaluate.finding import Finding
from gmmaudio.evaluate.markup import Markup, join, tag
from gmmaudio.evaluate.trials import trials_of
from gmmaudio.evaluate.worst import worst

if TYPE_CHECKING:
    from gmmaudio.evaluate.cross_validation import CrossValidation


@dataclass(frozen=True)
class Context:
    """What a report shows beside the evaluation itself; all of it may be missing.

    Parameters
    ----------
    title : str, default "Evaluation"
    command : str
        That made the report.
    model : mapping
        Facts about the model or the training: plain values, mappings of them.
    entries : sequence of Entry
        Where the clips are, for the sound of the worst errors.
    findings : sequence of Finding or None
        The audit's; None where there was none.
    durations : Durations or None
        What was found when the clips were cut short; None where they were not.
    read : Reader
        What reads the clips; default: this process.
    rate : int or None
        The rate in Hz at which predictions' hashes were taken; None where there are none.
    """

    title: str = "Evaluation"
    command: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    entries: Sequence[Entry] = ()
    findings: Sequence[Finding] | None = None
    durations: Durations | None = None
    read: Reader = read_through
    rate: int | None = None


def html_page(found: Evaluation | CrossValidation, context: Context) -> str:
    """The whole page.

    Parameters
    ----------
    found : Evaluation or CrossValidation
    context : Context

    Returns
    -------
    str
        The same for the same input.

    Examples
    --------
    >>> from gmmaudio.evaluate.evaluation import Prediction
    >>> page = html_page(Evaluation([Prediction("a.wav", "<i>", "cat")], ["<i>", "cat"]), Context(title="Pets"))
    >>> "<h1>Pets</h1>" in page, "&lt;i&gt;" in page
    (True, True)
    """
    pooled = found if isinstance(found, Evaluation) else found.pooled
    trials = trials_of(pooled)
    parts = [
        tag("header", tag("h1", context.title), tag("p", f"Measured on {extent(pooled)}.", class_="pale")),
        headlines(headlines_of(pooled, trials)),
        sections.warnings(pooled),
        sections.findings(context.findings),
        sections.confusion(pooled),
        sections.classes(pooled, trials),
        sections.folds(found),
        score_sections.scores(trials),
        score_sections.curves(trials, pooled.posterior_figures.get("calibration_error")),
        score_sections.detectors(pooled),
        score_sections.open_set(pooled.open_set),
        sections.durations(context.durations),
        sections.mistakes(worst(pooled, context.entries, context.rate, read=context.read), pooled),
        sections.failed(pooled),
        sections.model(context.model, found),
        sections.command(context.command),
        tag("footer", tag("p", f"Written by gmmaudio {gmmaudio.__version__}.", class_="pale")),
    ]
    return f"<!doctype html>\n{_document(context.title, [part for part in parts if part is not None])}\n"


def _document(title: str, parts: Iterable[Markup]) -> Markup:
    style, script = (files("gmmaudio.evaluate").joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        tag("meta", name_="viewport", content_="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    return tag("html", head, tag("body", tag("main", join(*parts)), tag("script", Markup(script))), lang="en")


def _policy(script: str) -> str:
    """Nothing from outside, no script but this one: a second lock, should a label ever get through as markup."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; media-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
