"""Which customers leave? Mixtures against logistic regression and naive Bayes, and what soft segments tell.

    python recipes/churn/run.py [CSV] [--segments 5] [--out DIR] [--small] [--seed 0]

Without a CSV the customers are generated (see customers.py), twice: once they leave by the kind of customer that they
are, once each column adds its share to the odds. The true chance of each is known, so that the best possible figures
are. A CSV is one with the columns of the public "telco churn" table. Half of the customers train, the others test.

``MixtureClassifier`` fits one mixture to those who left and one to those who stayed; ``GaussianMixture`` finds segments
among all of them without looking at who left.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, brier_score_loss, log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parent))
from customers import CATEGORIES, KINDS, NUMBERS, Table, generated, read
from pictures import picture

from gmmaudio import GaussianMixture, GmmaudioError, MixtureClassifier
from gmmaudio.errors import DataError
from gmmaudio.measures.calibration import equal_count, reliability
from gmmaudio.measures.detection import area_under_curve
from gmmaudio.measures.resampling import figure_interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]

BAYES, LOGISTIC, MIXTURES, CALIBRATED = "naive Bayes", "logistic regression", "a mixture each", "the same, calibrated"
SEGMENTS, TRUTH = "rates of soft segments", "the true chances"
MOST_SEGMENTS = 50  # as many as there must be customers who left
FLOOR = 1.0  # no component is narrower than the table in any column: keeps a yes or no from becoming a certainty


# Who leaves


def chosen_mixtures(small: bool, seed: int) -> GridSearchCV:
    """One mixture for those who left and one for those who stayed; components by AUC on folds of the training half."""
    mixtures = MixtureClassifier(relative_floor=FLOOR, priors="empirical", max_iter=300, random_state=seed)
    tried = {"n_components": (1, 4) if small else (1, 2, 3, 4, 6, 8)}
    return GridSearchCV(mixtures, tried, scoring="roc_auc", cv=3)


def soft_segments(values: Floats, n: int, seed: int) -> GaussianMixture:
    """Segments of customers, the best of ten starts; who left is not looked at."""
    settings = {"covariance_type": "diag", "relative_floor": FLOOR, "n_init": 10, "max_iter": 500}
    return GaussianMixture(n, random_state=seed, **settings).fit(values)


def rates(posteriors: Floats, left: Flags) -> Floats:
    """The share of each segment (k,) that left: each customer counts by its share in the segment."""
    return np.asarray(posteriors.T @ left / posteriors.sum(axis=0))


def predicted(table: Table, train: Indices, test: Indices, segments: int, small: bool, seed: int) -> dict[str, Floats]:
    """The chance of leaving of each test customer, by every model."""
    values, left = table.values[train], table.left[train]
    chosen = chosen_mixtures(small, seed).fit(values, left)
    print(f"components of each of the two mixtures: {chosen.best_params_['n_components']}")
    models = {
        BAYES: make_pipeline(StandardScaler(), GaussianNB()),
        LOGISTIC: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        MIXTURES: chosen.best_estimator_,
        CALIBRATED: CalibratedClassifierCV(chosen.best_estimator_, method="isotonic", cv=5),
    }
    found = {name: model.fit(values, left).predict_proba(table.values[test])[:, 1] for name, model in models.items()}
    parts = soft_segments(values, segments, seed)
    found[SEGMENTS] = parts.predict_proba(table.values[test]) @ rates(parts.predict_proba(values), left)
    return found if table.chance is None else found | {TRUTH: table.chance[test]}


def auc(left: Flags, chance: Floats) -> float:
    """How often one who left was given a higher chance than one who stayed."""
    return area_under_curve(chance[left], chance[~left])


@dataclass(frozen=True)
class Figures:
    """How good the chances of one model are, with 95 % intervals over customers."""

    auc: float
    auc_interval: tuple[float, float]
    over: float  # AUC over that of logistic regression
    over_interval: tuple[float, float]
    brier: float
    log_loss: float
    log_loss_interval: tuple[float, float]
    calibration_error: float


def judged(left: Flags, chance: Floats, other: Floats, resamples: int) -> Figures:
    """The figures of chances, and how far their AUC is over that of other chances for the same customers."""

    def bounds(figure: Callable[[Indices], float], low: float, high: float) -> tuple[float, float]:
        found = figure_interval(figure, len(left), bounds=(low, high), resamples=resamples)
        return found.low, found.high

    def loss(rows: Indices) -> float:
        return float(log_loss(left[rows], chance[rows], labels=[False, True]))

    def over(rows: Indices) -> float:
        return auc(left[rows], chance[rows]) - auc(left[rows], other[rows])

    everyone = np.arange(len(left))
    return Figures(
        auc(left, chance),
        bounds(lambda rows: auc(left[rows], chance[rows]), 0, 1),
        over(everyone),
        bounds(over, -1, 1),
        float(brier_score_loss(left, chance)),
        loss(everyone),
        bounds(loss, 0, np.inf),
        reliability(left, chance, equal_count(chance, 10)).error,
    )


def tell_figures(found: dict[str, Figures]) -> None:
    print(f"{'':22}  AUC                     over logistic regression    Brier  log loss (nats)         calibration")
    for name, row in found.items():
        over = f"{row.over:+.3f} ({row.over_interval[0]:+.3f} to {row.over_interval[1]:+.3f})"
        print(
            f"{name:22}  {row.auc:.3f} ({row.auc_interval[0]:.3f} to {row.auc_interval[1]:.3f})"
            f"  {'' if name == LOGISTIC else over:26}  {row.brier:.3f}"
            f"  {row.log_loss:.3f} ({row.log_loss_interval[0]:.3f} to {row.log_loss_interval[1]:.3f})"
            f"  {row.calibration_error:.3f}"
        )


def one_component(table: Table) -> float:
    """The largest difference between chances by mixtures of one component and by scikit-learn's naive Bayes."""
    values = StandardScaler().fit_transform(table.values)
    ours = MixtureClassifier(1, reg_covar=1e-9, priors="empirical").fit(values, table.left)
    theirs = GaussianNB(var_smoothing=1e-9).fit(values, table.left)
    return float(np.abs(ours.predict_proba(values) - theirs.predict_proba(values)).max())


# What soft segments tell


@dataclass(frozen=True)
class Segment:
    """A segment of customers: how large, how many of it left, and what sets it apart."""

    share: float
    rate: float
    interval: tuple[float, float]
    words: str
    kind: str  # the kind that most of it was drawn from, where that is known


def segmented(table: Table, n: int, resamples: int, seed: int) -> tuple[list[Segment], Floats]:
    """The segments, largest first, and the share of each customer in each (customers, segments)."""
    posteriors = soft_segments(table.values, n, seed).predict_proba(table.values)
    posteriors = posteriors[:, np.argsort(-posteriors.sum(axis=0))]
    return [segment(table, own, resamples) for own in posteriors.T], posteriors


def segment(table: Table, own: Floats, resamples: int) -> Segment:
    """What there is to say of a segment, from the share (n,) that each customer has in it."""

    def rate(rows: Indices) -> float:
        return float(rates(own[rows, None], table.left[rows])[0])

    found = figure_interval(rate, len(own), resamples=resamples)
    kind = "" if table.kind is None else KINDS[np.bincount(table.kind, own).argmax()].name
    return Segment(float(own.mean()), rate(np.arange(len(own))), (found.low, found.high), words(table, own), kind)


def words(table: Table, own: Floats, most: int = 4) -> str:
    """The columns in which a segment differs most from all customers, in standard deviations."""
    inside, overall = own @ table.values / own.sum(), table.values.mean(axis=0)
    apart = (inside - overall) / table.values.std(axis=0)
    said: dict[str, str] = {}
    for column in np.argsort(-np.abs(apart)):
        name = table.names[column]
        source, _, value = name.partition("=")
        factor, unit = (1, "") if name in NUMBERS else (100, " %")
        label = value if source in CATEGORIES and value != "No" else name
        if len(said) < most and source != "TotalCharges":
            said.setdefault(source, f"{label} {factor * inside[column]:.0f}{unit} ({factor * overall[column]:.0f})")
    return ", ".join(said.values())


def tell_segments(found: list[Segment]) -> None:
    print("segments of all customers, found without looking at who left; in brackets: all customers")
    print(" share    left (95 % interval)    differs in")
    for row in found:
        interval = f"({100 * row.interval[0]:4.1f} to {100 * row.interval[1]:4.1f})"
        print(f"{100 * row.share:4.1f} %  {100 * row.rate:4.1f} % {interval}    {row.words}")


def tell_truth(table: Table, found: list[Segment], posteriors: Floats) -> None:
    """The segments beside the kinds that made the customers, and how sure the shares are."""
    assert table.kind is not None
    assert table.shares is not None
    print("\nthe kind that most of it is    share    true    left    true")
    for row in found:
        [kind] = [k for k in KINDS if k.name == row.kind]
        numbers = (row.share, kind.share, row.rate, kind.leaves)
        print(f"{row.kind:28}" + "".join(f"{100 * x:6.1f} %" for x in numbers))
    ours, best = (adjusted_rand_score(table.kind, p.argmax(axis=1)) for p in (posteriors, table.shares))
    unsure, right = (float((p.max(axis=1) < 0.9).mean()) for p in (posteriors, table.shares))
    print("\n                                               found   at best")
    print(f"grouped as the kinds: adjusted Rand index {ours:10.3f}{best:10.3f}")
    print(f"customers whose largest share is below 0.9{100 * unsure:8.1f} %{100 * right:8.1f} %")


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("csv", nargs="?", type=Path, help="a table with the columns of the public telco churn table")
    options.add_argument("--segments", type=int, default=5, help="how many segments to find (default 5)")
    options.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the picture")
    options.add_argument("--small", action="store_true", help="fewer customers and resamples: a few seconds")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    chosen = options.parse_args(arguments)
    try:
        study(chosen)
    except GmmaudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def study(chosen: argparse.Namespace) -> None:
    """All figures of one table, or of both generated ones, and the picture."""
    if not 1 <= chosen.segments <= MOST_SEGMENTS:
        raise DataError("bad_setting", f"--segments {chosen.segments}; 1 to {MOST_SEGMENTS} are allowed")
    if chosen.small:
        print("the small form, for a quick look: its figures are no results")
    resamples = 100 if chosen.small else 500
    tables = {"": read(chosen.csv)} if chosen.csv else generated(1600 if chosen.small else 7000, chosen.seed)
    figures, seen = {}, {}
    for way, table in tables.items():
        everyone = np.arange(len(table.left))
        train, test = train_test_split(everyone, test_size=0.5, stratify=table.left, random_state=chosen.seed)
        head = f"they leave {way}: " if way else ""
        print(f"{head}{len(everyone)} customers, {100 * table.left.mean():.1f} % left; {len(test)} of them test")
        chances = predicted(table, train, test, chosen.segments, chosen.small, chosen.seed)
        left = table.left[test]
        figures[way] = {name: judged(left, p, chances[LOGISTIC], resamples) for name, p in chances.items()}
        tell_figures(figures[way])
        if table.chance is not None:
            print(f"one component each against scikit-learn's naive Bayes: chances {one_component(table):.0e} apart")
        print()
        seen[way] = {name: reliability(left, p, equal_count(p, 10)) for name, p in chances.items()}
    table = next(iter(tables.values()))
    found, posteriors = segmented(table, chosen.segments, resamples, chosen.seed)
    tell_segments(found)
    if table.kind is not None:
        tell_truth(table, found, posteriors)
    chosen.out.mkdir(parents=True, exist_ok=True)
    picture(figures, seen, found, float(table.left.mean()), chosen.out / "churn.png")


if __name__ == "__main__":
    raise SystemExit(main())
