"""The customers of a telephone company: a generated table whose truth is known, and how any such table is read.

The columns are those of a public table that many tutorials use ("telco churn"): who the customers are, for how many
months they have stayed, what they have booked, how and what they pay, and whether they then left (``Churn``). Generated
and real rows are text and go the same way into numbers: yes or no as 1 and 0, a category as one column of 1 and 0
for each of its values.

Five kinds of customer are generated. Within a kind all columns are drawn independently, save what one books and then
has to pay; so the probability of each kind given a row can be written down, and with it that of leaving.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmmaudio.corpus.table import read_table
from gmmaudio.errors import DataError

Floats = NDArray[np.float64]
Row = dict[str, str]

PROTECTION = ("OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport")
STREAMING = ("StreamingTV", "StreamingMovies")
NUMBERS = ("tenure", "MonthlyCharges", "TotalCharges")
YES_NO = ("SeniorCitizen", "Partner", "Dependents", "PhoneService", "MultipleLines", *PROTECTION, *STREAMING)
YES_NO = (*YES_NO, "PaperlessBilling")
CATEGORIES = ("gender", "InternetService", "Contract", "PaymentMethod")
COLUMNS = (*NUMBERS, *YES_NO, *CATEGORIES)
MEANING = {"Yes": 1.0, "1": 1.0, "No": 0.0, "0": 0.0, "No phone service": 0.0, "No internet service": 0.0}
LEAST = 50  # customers who left, and who stayed: with fewer, figures say nothing

VALUES = {
    "gender": ("Female", "Male"),
    "InternetService": ("DSL", "Fiber optic", "No"),
    "Contract": ("Month-to-month", "One year", "Two year"),
    "PaymentMethod": ("Electronic check", "Mailed check", "Bank transfer (automatic)", "Credit card (automatic)"),
}
MONTHS = np.arange(73)
PRICES = {"PhoneService": 20, "MultipleLines": 5} | dict.fromkeys(PROTECTION, 5) | dict.fromkeys(STREAMING, 10)
INTERNET_PRICES = np.array([25, 50, 0])


@dataclass(frozen=True)
class Kind:
    """A kind of customer: its share, its months, how its columns are drawn, and how many of it leave."""

    name: str
    share: float
    months: tuple[float, float]  # mean and standard deviation, before they are cut off at 0 and 72
    leaves: float
    yes: dict[str, float]  # P(Yes); of what needs a telephone or the internet: where there is one
    values: dict[str, tuple[float, ...]]

    def tenure(self) -> Floats:
        """The probability of each number of months, 0 to 72."""
        mean, deviation = self.months
        weights = np.exp(-0.5 * ((MONTHS - mean) / deviation) ** 2)
        return np.asarray(weights / weights.sum())


def _kind(
    name: str,
    share: float,
    months: tuple[float, float],
    leaves: float,
    senior_partner_children: tuple[float, float, float],
    booked: tuple[float, float, float, float],
    internet: tuple[float, ...],
    contract: tuple[float, ...],
    payment: tuple[float, ...],
) -> Kind:
    """A kind; ``booked`` is P(telephone), P(second line), P(each protection) and P(each streaming)."""
    yes = dict(zip(("SeniorCitizen", "Partner", "Dependents"), senior_partner_children, strict=True))
    phone, lines, protection, streaming = booked
    yes |= {"PhoneService": phone, "MultipleLines": lines, "PaperlessBilling": 0.8 if payment[0] > 0.4 else 0.5}
    yes |= dict.fromkeys(PROTECTION, protection) | dict.fromkeys(STREAMING, streaming)
    values = {"gender": (0.5, 0.5), "InternetService": internet, "Contract": contract, "PaymentMethod": payment}
    return Kind(name, share, months, leaves, yes, values)


KINDS = (
    _kind(
        "new, with fibre", 0.24, (6, 10), 0.6, (0.2, 0.4, 0.15), (1.0, 0.4, 0.3, 0.45),
        (0.1, 0.9, 0), (0.9, 0.08, 0.02), (0.5, 0.2, 0.15, 0.15),
    ),
    _kind(
        "settled, with fibre", 0.22, (52, 15), 0.05, (0.2, 0.6, 0.25), (1.0, 0.6, 0.5, 0.55),
        (0.15, 0.85, 0), (0.15, 0.35, 0.5), (0.3, 0.1, 0.3, 0.3),
    ),
    _kind(
        "new, with DSL", 0.2, (8, 12), 0.06, (0.15, 0.4, 0.2), (0.8, 0.3, 0.3, 0.4),
        (0.93, 0.07, 0), (0.88, 0.1, 0.02), (0.45, 0.25, 0.15, 0.15),
    ),
    _kind(
        "tired of slow DSL", 0.14, (46, 14), 0.65, (0.15, 0.6, 0.25), (0.95, 0.5, 0.45, 0.6),
        (0.95, 0.05, 0), (0.15, 0.45, 0.4), (0.35, 0.15, 0.25, 0.25),
    ),
    _kind(
        "telephone only", 0.2, (30, 24), 0.07, (0.05, 0.5, 0.4), (1.0, 0.25, 0, 0),
        (0, 0, 1), (0.3, 0.25, 0.45), (0.08, 0.52, 0.2, 0.2),
    ),
)  # fmt: skip


# The second way to leave: each column adds its share to the log odds, whatever the other columns say.
ODDS = {
    "tenure": -0.04, "SeniorCitizen": 0.3, "Dependents": -0.3, "OnlineSecurity": -0.5, "TechSupport": -0.5,
    "StreamingTV": 0.3, "StreamingMovies": 0.3, "PaperlessBilling": 0.4,
    "InternetService=Fiber optic": 1.1, "InternetService=No": -0.9, "Contract=One year": -0.8,
    "Contract=Two year": -1.6, "PaymentMethod=Electronic check": 0.5,
}  # fmt: skip
BASE = -0.35


@dataclass(frozen=True)
class Table:
    """Customers as numbers.

    Attributes
    ----------
    names : (d,) str
        ``tenure``, or ``Contract=Two year`` for a value of a category.
    values : (n, d)
    left : (n,) bool
    chance : (n,) or None
        The true probability of leaving, where it is known.
    kind : (n,) int or None
        The kind that each customer was drawn from, where it is known.
    shares : (n, kinds) or None
        The true probability of each kind given the customer's row.
    """

    names: tuple[str, ...]
    values: Floats
    left: NDArray[np.bool_]
    chance: Floats | None = None
    kind: NDArray[np.intp] | None = None
    shares: Floats | None = None


def as_numbers(rows: Sequence[Row]) -> tuple[tuple[str, ...], Floats]:
    """Names and values (n, d) of the columns; a column that says the same of all customers is left out."""
    columns = {name: np.array([float(row[name]) for row in rows]) for name in NUMBERS}
    columns |= {name: np.array([MEANING[row[name]] for row in rows]) for name in YES_NO}
    for name in CATEGORIES:
        text = np.array([row[name] for row in rows])
        found = np.unique(text)
        columns |= {
            f"{name}={value}": (text == value).astype(np.float64) for value in (found[1:] if len(found) == 2 else found)
        }
    columns = {name: column for name, column in columns.items() if np.ptp(column) > 0}
    return tuple(columns), np.column_stack(list(columns.values()))


# A table of the user's own


def read(path: Path) -> Table:
    """The customers in a CSV file with the columns of the public table.

    Raises
    ------
    DataError
        ``bad_table``, naming the line; ``too_few_rows``; ``unreadable_data``.
    ManifestError
        ``bad_manifest``: not a CSV file in UTF-8, a column is missing, a line has too many or too few fields.
    """
    if not path.is_file():
        raise DataError("unreadable_data", f"{path} is not a file", "give a CSV file of customers")
    rows = [_checked(path, line, row) for line, row in read_table(path, (*COLUMNS, "Churn"))]
    left = np.array([row["Churn"] == "Yes" for row in rows], dtype=bool)
    if not LEAST <= left.sum() <= len(left) - LEAST:
        raise DataError(
            "too_few_rows",
            f"{path}: {left.sum()} customers left and {(~left).sum()} stayed; at least {LEAST} of each are needed",
        )
    return Table(*as_numbers(rows), left)


def _checked(path: Path, line: int, row: Row) -> Row:
    """The row, its text stripped; total charges are blank in the public table for customers of 0 months."""
    row = {name: text.strip() for name, text in row.items()}
    if not row["TotalCharges"] and row["tenure"] == "0":
        row["TotalCharges"] = "0"
    for name in NUMBERS:
        _require(_is_number(row[name]), path, line, name, row[name], "a number of 0 or more")
    for name in YES_NO:
        _require(row[name] in MEANING, path, line, name, row[name], "Yes or No")
    for name in CATEGORIES:
        _require(row[name] != "", path, line, name, row[name], "a category")
    _require(row["Churn"] in ("Yes", "No"), path, line, "Churn", row["Churn"], "Yes or No")
    return row


def _require(fine: bool, path: Path, line: int, column: str, got: str, allowed: str) -> None:
    if not fine:
        text = f"{path}, line {line}: {column} is {got!r}, expected {allowed}"
        raise DataError("bad_table", text, "repair the line or leave it out")


def _is_number(text: str) -> bool:
    try:
        return 0 <= float(text) < float("inf")
    except ValueError:
        return False


# The generated table


def draw(n: int, seed: int) -> tuple[list[Row], NDArray[np.intp]]:
    """Customers as rows of text, without ``Churn``, and the kind of each (n,)."""
    generator = np.random.default_rng(seed)
    kinds = generator.choice(len(KINDS), n, p=[kind.share for kind in KINDS])
    return [_customer(KINDS[index], generator) for index in kinds], kinds


def _customer(kind: Kind, generator: np.random.Generator) -> Row:
    row = {name: values[generator.choice(len(values), p=kind.values[name])] for name, values in VALUES.items()}
    row["tenure"] = str(generator.choice(MONTHS, p=kind.tenure()))
    for name, chance in kind.yes.items():
        row[name] = "Yes" if generator.random() < chance else "No"
    row["SeniorCitizen"] = str(int(MEANING[row["SeniorCitizen"]]))
    if row["PhoneService"] == "No":
        row["MultipleLines"] = "No phone service"
    if row["InternetService"] == "No":
        row |= dict.fromkeys((*PROTECTION, *STREAMING), "No internet service")
    price = INTERNET_PRICES[VALUES["InternetService"].index(row["InternetService"])]
    price = price + sum(cost * MEANING[row[name]] for name, cost in PRICES.items()) + generator.normal(0, 0.8)
    paid = float(row["tenure"]) * price * generator.normal(1, 0.02)
    return row | {"MonthlyCharges": f"{price:.2f}", "TotalCharges": f"{paid:.2f}"}


def shares(rows: Sequence[Row]) -> Floats:
    """The probability of each kind given each row (n, kinds), by Bayes' rule.

    What is paid is not looked at: given what is booked, it is the same for all kinds.
    """
    log = np.stack([_log_joint(kind, rows) for kind in KINDS], axis=1)
    return np.asarray(np.exp(log - np.logaddexp.reduce(log, axis=1, keepdims=True)))


def _log_joint(kind: Kind, rows: Sequence[Row]) -> Floats:
    """log share + log probability of each row under a kind (n,)."""
    with np.errstate(divide="ignore"):
        total = np.log(kind.share) + np.log(kind.tenure()[[int(row["tenure"]) for row in rows]])
        for name, chances in kind.values.items():
            total = total + np.log(chances)[[VALUES[name].index(row[name]) for row in rows]]
        for name, chance in kind.yes.items():
            asked = np.array([not row[name].endswith("service") for row in rows])
            yes = np.array([MEANING[row[name]] > 0 for row in rows])
            total = total + np.where(asked, np.where(yes, np.log(chance), np.log(1 - chance)), 0)
    return np.asarray(total)


LEAVES = np.array([kind.leaves for kind in KINDS])


def chance_by_kind(shares: Floats) -> Floats:
    """The probability of leaving given that of each kind, where customers leave by their kind."""
    return np.asarray(shares @ LEAVES)


def chance_by_column(names: Iterable[str], values: Floats) -> Floats:
    """The same, where each column adds to the log odds of leaving."""
    odds = BASE + values @ np.array([ODDS.get(name, 0.0) for name in names])
    return np.asarray(1 / (1 + np.exp(-odds)))


def generated(n: int, seed: int) -> dict[str, Table]:
    """The same customers twice: once they leave by their kind, once each column adds its share."""
    rows, kind = draw(n, seed)
    names, values = as_numbers(rows)
    of_kinds = shares(rows)
    chances = {"by kind": chance_by_kind(of_kinds), "by column": chance_by_column(names, values)}
    generator = np.random.default_rng([seed, 1])
    coin = generator.random(n)
    left = {"by kind": coin < LEAVES[kind], "by column": coin < chances["by column"]}
    return {way: Table(names, values, left[way], chances[way], kind, of_kinds) for way in chances}
