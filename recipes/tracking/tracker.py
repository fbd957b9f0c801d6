"""Where the object is in each frame: what is news to the background, and has the object's colours.

Neither alone is enough. A shadow is news, and so is a lamp; a door may have the object's colours. The colours are
learned from one frame in which somebody drew a box around the object: a mixture for the colours inside and one for
those outside (``gmmaudio.MixtureClassifier``), which give every pixel of later frames a posterior.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from background import Background, Masks, begin, starting_rate, watch, watch_one
from numpy.typing import NDArray
from scene import Box, Frames, box_of
from scipy.ndimage import label, uniform_filter

from gmmaudio import MixtureClassifier
from gmmaudio.errors import DataError

Floats = NDArray[np.float64]

COMPONENTS = 4  # of each mixture of colours
FEWEST = 20  # pixels; less is no object
CHANGE = 25  # levels in any colour: the baseline's threshold, four standard deviations of a difference of two frames
WAYS = (
    "frame difference",
    "one Gaussian a pixel",
    "mixture a pixel",
    "colour only",
    "one Gaussian and colour",
    "mixture and colour",
)


@dataclass(frozen=True)
class Found:
    """What one frame shows: pixels that are news, posteriors of the object's colours, and the object's pixels a way."""

    news: Masks
    posterior: Floats
    objects: dict[str, Masks]


def features(frame: Frames) -> Floats:
    """Logarithms of the three colours (pixels, 3): less light moves all three alike, along one direction."""
    return np.asarray(np.log(frame.reshape(-1, 3) + 8.0))


def learn_colours(frame: Frames, box: Box, seed: int) -> MixtureClassifier:
    """A mixture of the colours within the ellipse that fills the box, and one of those outside the box.

    Raises
    ------
    DataError
        ``bad_box`` where it does not lie within the frame, or is too small or too large to learn from.
    """
    rows, columns = frame.shape[:2]
    left, top, width, height = box
    if not (0 <= left < left + width <= columns and 0 <= top < top + height <= rows):
        raise DataError("bad_box", f"a box of {box} in a picture of {columns} x {rows} pixels", "left top width height")
    y, x = np.mgrid[:rows, :columns] + 0.5
    inside = ((x - left) / width - 0.5) ** 2 + ((y - top) / height - 0.5) ** 2 <= 0.25
    outside = (x < left) | (x > left + width) | (y < top) | (y > top + height)
    if min(inside.sum(), outside.sum()) < 10 * COMPONENTS:
        raise DataError("bad_box", f"a box of {width} x {height} pixels leaves too little to learn from")
    known = (inside | outside).ravel()
    classifier = MixtureClassifier(COMPONENTS, covariance_type="full", priors="empirical", random_state=seed)
    return classifier.fit(features(frame)[known], inside.ravel()[known])


def tidied(mask: Masks) -> Masks:
    """The largest connected piece, after every pixel went with the majority of the nine around it."""
    pieces, count = label(uniform_filter(mask.astype(float), 3, mode="constant") > 0.5)
    sizes = np.bincount(pieces.ravel(), minlength=2)[1:]
    return np.asarray(pieces == 1 + sizes.argmax() if count and sizes.max() >= FEWEST else np.zeros_like(mask))


def follow(frames: Sequence[Frames], marked: int, box: Box, seed: int) -> Iterator[Found]:
    """Find the object in the frames after the marked one, in several ways."""
    shape = frames[0].shape[:2]
    classifier = learn_colours(frames[marked], box, seed)
    mixtures, one = begin(flat(frames[0])), begin(flat(frames[0]), 1)
    for t, frame in enumerate(frames[1:], start=1):
        (mixtures, news), (one, odd) = seen(mixtures, one, frame, starting_rate(t))
        if t > marked:
            posterior = classifier.predict_proba(features(frame))[:, 1]
            moved = np.abs(flat(frame) - flat(frames[t - 1])).max(axis=1) > CHANGE
            likely = posterior > 0.5
            masks = (moved, odd, news, likely, odd & likely, news & likely)
            tidy = {way: tidied(mask.reshape(shape)) for way, mask in zip(WAYS, masks, strict=True)}
            yield Found(news.reshape(shape), posterior.reshape(shape), tidy)


def seen(
    mixtures: Background, one: Background, frame: Frames, rate: float
) -> tuple[tuple[Background, Masks], tuple[Background, Masks]]:
    """Both kinds of background after one more frame."""
    return watch(mixtures, flat(frame), rate), watch_one(one, flat(frame), rate)


def flat(frame: Frames) -> Floats:
    """A frame as colours (pixels, 3)."""
    return frame.reshape(-1, 3).astype(float)


def overlap(found: Box | None, true: Box | None) -> float:
    """Intersection over union of two boxes: 1 if they are one, 0 if they do not touch or one is missing."""
    if found is None or true is None:
        return 0.0
    sides = [min(f + g, t + s) - max(f, t) for f, g, t, s in zip(found[:2], found[2:], true[:2], true[2:], strict=True)]
    shared = max(sides[0], 0) * max(sides[1], 0)
    return shared / (found[2] * found[3] + true[2] * true[3] - shared)


def mask_overlap(found: Masks, true: Masks) -> float:
    """The same of pixels."""
    return float((found & true).sum() / max((found | true).sum(), 1))


def boxes(found: Sequence[Found], way: str) -> list[Box | None]:
    return [box_of(one.objects[way]) for one in found]
