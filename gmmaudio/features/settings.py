"""Settings as plain values: dataclasses from dictionaries, TOML and JSON, every name and type checked."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from math import isfinite
from typing import Any

from gmmaudio.errors import DataError


def settings_from(cls: type[Any], values: object, where: str, base: object = None) -> Any:
    """A settings dataclass from plain values.

    Parameters
    ----------
    cls : type
        A frozen dataclass, all of whose fields have defaults.
    values : mapping
        Integers may stand for floats and lists for tuples; nothing else is converted.
    where : str
        What messages call it.
    base : an instance of ``cls``, optional
        Where the fields that are not named come from. Default: the defaults.

    Raises
    ------
    DataError
        ``unknown_key`` naming the nearest, ``bad_setting``.
    """
    if not isinstance(values, Mapping):
        raise DataError("bad_setting", f"{where} must be a table, got {values!r}")
    start = {item.name: getattr(base or cls(), item.name) for item in fields(cls)}
    check_keys(values, set(start), where)
    changes = {key: _like(start[key], value, f"{where}.{key}") for key, value in values.items()}
    return cls(**(start | changes))


def check_keys(values: Iterable[object], known: Collection[str], where: str) -> None:
    """Raise ``unknown_key``, naming the nearest, for a key that is not known."""
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            raise DataError(
                "unknown_key",
                f"{where} has no setting {key!r}; it has {', '.join(sorted(known))}",
                f"did you mean {near[0]!r}?" if near else "",
            )


def _like(default: object, value: object, where: str) -> object:
    """The value, if it is of the default's type."""
    kind = type(default)
    if kind is float and type(value) is int:
        value = _float(value, where)
    if kind is tuple and isinstance(value, list):
        value = tuple(value)
    if type(value) is not kind or (isinstance(value, float) and not isfinite(value)):
        raise DataError("bad_setting", f"{where} must be {kind.__name__}, got {value!r}")
    if isinstance(value, tuple) and not all(isinstance(item, str) for item in value):
        raise DataError("bad_setting", f"{where} must be a list of names, got {list(value)!r}")
    return value


def _float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise DataError("bad_setting", f"{where} is out of range") from None
