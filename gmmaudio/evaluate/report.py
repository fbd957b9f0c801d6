"""The report of an evaluation in one folder: a page to look at, the figures as JSON and text, pictures to pass on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gmmaudio.errors import DataError
from gmmaudio.evaluate.det_picture import det_picture
from gmmaudio.evaluate.durations import Durations, as_json, as_text
from gmmaudio.evaluate.evaluation import Evaluation
from gmmaudio.evaluate.page import Context, html_page
from gmmaudio.evaluate.plots import confusion_picture
from gmmaudio.evaluate.trials import trials_of
from gmmaudio.files import write_atomically

if TYPE_CHECKING:
    from gmmaudio.evaluate.cross_validation import CrossValidation


NO_CONTEXT = Context()


def write_report(
    folder: Path,
    found: Evaluation | CrossValidation,
    pooled: Evaluation,
    context: Context = NO_CONTEXT,
    durations: Durations | None = None,
) -> None:
    """Write report.html, evaluation.json, evaluation.txt, confusion.png and, where there are scores, det.png.

    The page holds excerpts of the worst errors' clips: where these must not be passed on, it must not either.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    found : Evaluation or CrossValidation
        What is shown as JSON and text.
    pooled : Evaluation
        What the pictures show.
    context : Context, default empty
        What the page shows beside the figures: the model, the command, where the clips are.
    durations : Durations, optional
        What else is shown as JSON and text.

    Raises
    ------
    DataError
        ``cannot_write``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "evaluation.json", (as_json(found, durations) + "\n").encode())
        text = as_text(found, durations) + "\n"
        write_atomically(folder / "evaluation.txt", text.encode("utf-8", "backslashreplace"))
        write_atomically(folder / "report.html", html_page(found, context).encode("utf-8", "backslashreplace"))
        confusion_picture(pooled, folder / "confusion.png")
        trials = trials_of(pooled)
        if trials is not None and trials.truth.any():
            det_picture(pooled, folder / "det.png")
    except OSError as error:
        raise DataError("cannot_write", f"cannot write the report to {folder}: {error.strerror}") from error
