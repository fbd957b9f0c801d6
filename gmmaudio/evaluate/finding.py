"""One thing that an audit found: a stable code, how grave it is, words, the clips concerned, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gmmaudio.files import printable

SEVERITIES = ("serious", "warning", "note")
"""Serious: figures from such data would be false. Warning: they may be. Note: worth knowing."""

_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """What was found.

    Parameters
    ----------
    code : str
        Stable, for programs.
    severity : str
        ``"serious"``, ``"warning"`` or ``"note"``.
    message : str
        What was found, in words.
    hint : str
        What to do.
    clips : tuple of tuple of str
        The clips concerned, by name: one in a row, or those that belong together. Text shows the first three rows,
        JSON all.
    details : tuple of dict
        Figures: for each row of clips, or for the whole.
    """

    code: str
    severity: str
    message: str
    hint: str = ""
    clips: tuple[tuple[str, ...], ...] = ()
    details: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "clips": [list(row) for row in self.clips],
            "details": list(self.details),
        }

    def as_text(self) -> str:
        """A paragraph for the terminal.

        Examples
        --------
        >>> print(Finding("silence", "note", "1 clip is silent", "remove it", (("a.wav",),)).as_text())
        note     1 clip is silent [silence]
                   a.wav
                   what to do: remove it
        """
        rows = [" = ".join(printable(name) for name in row[:_SHOWN]) for row in self.clips[:_SHOWN]]
        if len(self.clips) > _SHOWN:
            rows.append(f"... and {len(self.clips) - _SHOWN} more")
        if self.hint:
            rows.append(f"what to do: {self.hint}")
        lines = [f"{self.severity:8} {self.message} [{self.code}]", *(f"           {row}" for row in rows)]
        return "\n".join(lines)
