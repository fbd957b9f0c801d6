"""Plain values from a file that say what was learned of scores: whether they are what they should be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from gmmaudio.tensors import require

LARGEST = 1e15
"""Beyond this a number in a file is no offset, scale or count: it would overflow in use."""

T = TypeVar("T")


def table(values: object, name: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values that are a table of just these fields; ``name`` says of what."""
    require(isinstance(values, Mapping), f"the {name} is not a table")
    found: Mapping[str, Any] = values  # type: ignore[assignment]
    require(set(found) == set(fields), f"the {name} must have {', '.join(sorted(fields))}")
    return found


def thresholded(
    kind: type[T], name: str, values: object, counts: Mapping[str, int], free: Collection[str] = ("threshold",)
) -> T:
    """A dataclass of numbers that are free, of shares, within their intervals if they have any, and of counts.

    Parameters
    ----------
    kind : type
    name : str
        What it is called in errors.
    values : object
        From a file.
    counts : mapping
        The counts' names, and the least value of each.
    free : collection of str, default only "threshold"
        Names of finite numbers that are no shares.

    Raises
    ------
    Broken
        Naming the value.
    """
    fields: Mapping[str, Any] = kind.__dataclass_fields__  # type: ignore[attr-defined]
    found = table(values, name, fields)
    for field in free:
        require(number(found[field]), f"the {name}'s {field} must be a finite number")
    for field in (each for each in fields if each not in free and each not in counts):
        require(number(found[field]) and 0 <= found[field] <= 1, f"the {name}'s {field} must lie in [0, 1]")
    for field in (each for each in fields if f"{each}_low" in fields):
        inside = found[f"{field}_low"] <= found[field] <= found[f"{field}_high"]
        require(inside, f"the {name}'s {field} must lie between {field}_low and {field}_high")
    for field, least in counts.items():
        require(count(found[field], least), f"the {name}'s {field} must be a whole number of at least {least}")
    return kind(**{field: found[field] if field in counts else float(found[field]) for field in fields})


def number(value: object) -> bool:
    """Whether a value from a file is a finite number of sensible size, and not a truth value."""
    return type(value) in (int, float) and abs(value) <= LARGEST  # type: ignore[arg-type]  # a NaN is not


def count(value: object, least: int) -> bool:
    """Whether a value from a file is a whole number of at least ``least``, and of sensible size."""
    return type(value) is int and least <= value <= LARGEST
