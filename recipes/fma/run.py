"""Genres of FMA-medium from published statistics of MFCC: one Gaussian per genre, then mixtures.

    python recipes/fma/run.py [DATA] [--jobs 2]

DATA is the folder that holds tracks.csv and features.csv (default: $GMMAUDIO_DATA/fma_metadata); see
data_manifest/fma.md. No audio is read: a track is one row of 140 numbers, seven statistics of each of 20 MFCC.

Defferrard, Benzi, Vandergheynst and Bresson, "FMA: a dataset for music analysis", ISMIR 2017, classify these rows with
several methods. The one that is a mixture model with a single diagonal component per genre is Gaussian naive Bayes:
priors by the genres' frequency in training, variances smoothed by 1e-9 of the largest, rows standardised on the
training part, the published split. One component per genre is that classifier, by our own EM. Then come more of them,
their number chosen on the validation part.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmmaudio import MixtureClassifier
from gmmaudio.estimators.checks import RegularisationWarning
from gmmaudio.measures.intervals import interval
from gmmaudio.parallel import cores

PARTS = ("training", "validation", "test")
SUBSETS = ("small", "medium")  # FMA-medium contains the small set
FEATURE = "mfcc"
SMOOTHING = 1e-9  # of the largest variance, as scikit-learn's GaussianNB
MORE_SMOOTHING = 0.01  # where there are several components, for some genres have few rows; the columns' variance is 1
COMPONENTS = (1, 2, 4, 8)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """Rows of one part of the split: features (n, d), genres (n,), artists (n,)."""

    rows: Floats
    genres: NDArray[np.str_]
    artists: Sequence[str | None]


@dataclass(frozen=True)
class Track:
    """What tracks.csv says of a track that is used."""

    part: str
    genre: str
    artist: str | None


def table(path: Path, levels: int) -> Iterator[tuple[list[tuple[str, ...]], list[str]]]:
    """Each row of one of the published CSVs, with the columns' names, which stand in several lines above."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        columns = list(zip(*(next(lines) for _ in range(levels)), strict=True))
        for row in lines:
            if row[0] != "track_id":  # the line that names the index
                yield columns, row


def read_tracks(path: Path) -> dict[str, Track]:
    """The tracks of FMA-medium by their number."""
    found = {}
    for columns, row in table(path, 2):
        cell = dict(zip(columns, row, strict=True))
        if cell["set", "subset"] in SUBSETS:
            genre, artist = cell["track", "genre_top"], cell["artist", "id"] or None
            found[row[0]] = Track(cell["set", "split"], genre, artist)
    return found


def read_features(path: Path, wanted: dict[str, Track]) -> tuple[list[str], Floats]:
    """The numbers of the tracks wanted, and their rows (n, d)."""
    names, rows = [], []
    kept: list[int] = []
    for columns, row in table(path, 3):
        kept = kept or [i for i, column in enumerate(columns) if column[0] == FEATURE]
        if row[0] in wanted:
            names.append(row[0])
            rows.append([float(row[i]) for i in kept])
    return names, np.array(rows)


def read_parts(folder: Path) -> dict[str, Part]:
    """The three parts, standardised by the mean and the deviation of the training part."""
    tracks = read_tracks(folder / "tracks.csv")
    names, rows = read_features(folder / "features.csv", tracks)
    sides = np.array([tracks[name].part for name in names])
    training = rows[sides == "training"]
    spread = training.std(axis=0)
    rows = (rows - training.mean(axis=0)) / np.where(spread > 0, spread, 1)
    parts = {}
    for part in PARTS:
        own = np.flatnonzero(sides == part)
        chosen = [tracks[names[i]] for i in own]
        parts[part] = Part(rows[own], np.array([t.genre for t in chosen]), [t.artist for t in chosen])
    return parts


def classifier(components: int, rows: Floats, jobs: int) -> MixtureClassifier:
    """Priors by frequency; one component is smoothed as published, more of them by what rare genres need."""
    added = SMOOTHING * float(rows.var(axis=0).max()) if components == 1 else MORE_SMOOTHING
    return MixtureClassifier(components, priors="empirical", reg_covar=added, random_state=0, n_jobs=jobs)


def fitted(training: Part, jobs: int) -> dict[int, MixtureClassifier]:
    """A classifier per number of components, as far as the rarest genre has rows for them."""
    fewest = int(np.unique(training.genres, return_counts=True)[1].min())
    sizes = [components for components in COMPONENTS if components <= fewest]
    with warnings.catch_warnings():
        # The smoothing is felt, and is all that is left where a component stands on one row: that is its purpose.
        warnings.simplefilter("ignore", RegularisationWarning)
        return {k: classifier(k, training.rows, jobs).fit(training.rows, training.genres) for k in sizes}


def told(right: NDArray[np.bool_], part: Part) -> str:
    """The accuracy on a part, with its interval over artists."""
    sure = interval(right, part.artists)
    extent = f"{sure.method}, {sure.clips} tracks, {sure.groups} artists"
    return f"{100 * right.mean():.2f} %  (95 % interval {100 * sure.low:.1f} to {100 * sure.high:.1f} %, {extent})"


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="?", type=Path, help="folder of the data; default: in $GMMAUDIO_DATA")
    options.add_argument("--jobs", type=int, default=cores(), help="threads; default: all cores")
    chosen = options.parse_args(arguments)
    data = chosen.data or Path(os.environ.get("GMMAUDIO_DATA", ".")) / "fma_metadata"
    for name in ("tracks.csv", "features.csv"):
        if not (data / name).is_file():
            print(f"no {name} in {data}: give the folder, or see data_manifest/fma.md", file=sys.stderr)
            return 2

    parts = read_parts(data)
    training, validation, test = (parts[part] for part in PARTS)
    sizes = ", ".join(f"{len(part.genres)} {name}" for name, part in parts.items())
    print(f"{sizes} tracks; {len(set(training.genres))} genres, {training.rows.shape[1]} features")
    names, counts = np.unique(training.genres, return_counts=True)
    print(f"always {names[counts.argmax()]}: test {told(test.genres == names[counts.argmax()], test)}")

    models = fitted(training, chosen.jobs)
    accuracies = {k: float(model.score(validation.rows, validation.genres)) for k, model in models.items()}
    for k, accuracy in accuracies.items():
        print(f"{k:2} per genre: validation {100 * accuracy:.2f} %")
    best = max(accuracies, key=lambda k: accuracies[k])
    for name, k in (("one diagonal Gaussian per genre", 1), (f"{best} per genre, the best on validation", best)):
        print(f"{name}: test {told(models[k].predict(test.rows) == test.genres, test)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
