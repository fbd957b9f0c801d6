"""Every error that gmmaudio raises on purpose.

    GmmaudioError             code, message, hint
    ├── ClipError             one clip cannot be used; the others go on     exit 3 (4 if none is left)
    ├── NothingLeft           none of the clips can be used                 exit 4
    ├── DataError             flags or data that cannot be used             exit 2
    ├── ManifestError         a manifest that says something impossible     exit 5
    ├── StoreError            a feature store that cannot be used           exit 5
    └── ModelError            a file that is not a model, or a broken one   exit 5

The code is stable and meant for programs; the message says what was got and what is allowed; the hint says
what to try.
"""

from __future__ import annotations


class GmmaudioError(Exception):
    """The root of the tree.

    Parameters
    ----------
    code : str
        A stable name such as ``"empty_file"``.
    message : str
        What was got and what is allowed.
    hint : str
        What to try; may be empty.
    """

    exit_status = 1

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]" + (f"\n  hint: {self.hint}" if self.hint else "")

    def record(self) -> dict[str, str]:
        """The error as the command line's JSON shows it."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class ClipError(GmmaudioError):
    """One clip cannot be used; the others go on."""

    exit_status = 3


class NothingLeft(GmmaudioError):
    """Not one of the clips given can be used."""

    exit_status = 4


class DataError(GmmaudioError, ValueError):
    """Options, arrays or a corpus that cannot be used as asked."""

    exit_status = 2


class ManifestError(GmmaudioError):
    """A manifest that cannot be read or says something impossible."""

    exit_status = 5


class StoreError(GmmaudioError):
    """A feature store that cannot be used."""

    exit_status = 5


class ModelError(GmmaudioError):
    """A file that is not a gmmaudio model, or a broken one."""

    exit_status = 5
