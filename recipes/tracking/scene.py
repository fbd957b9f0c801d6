"""A made-up film with a known track: an object before a background that will not keep still.

A camera stands and looks at a wall and a lawn. A bush sways, a lamp flickers, the light changes slowly, a shadow
passes over the lawn, every pixel is noisy, and a door has the object's colours. After a second the object comes in
from the left: red above and yellow below, dark on one side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Floats = NDArray[np.float64]
Frames = NDArray[np.uint8]
Masks = NDArray[np.bool_]
Box = tuple[int, int, int, int]  # left, top, width, height in pixels

ROWS, COLUMNS, RATE = 96, 128, 25  # pixels, pixels, frames a second
ENTERS = 25  # the frame in which the object comes in
NOISE = 4.0  # standard deviation of a pixel, in levels of 0 to 255
RED, YELLOW = np.array([200.0, 55.0, 45.0]), np.array([215.0, 185.0, 60.0])
RADII = (14, 10)  # of the object, an ellipse
SHADE = 0.55  # what the shadow leaves of the light


@dataclass(frozen=True)
class Film:
    """Frames, and where the object is.

    Parameters
    ----------
    frames : (t, rows, columns, 3) uint8
    masks : (t, rows, columns) bool
        The pixels of the object.
    marked : int
        The first frame in which the whole object is in the picture.
    """

    frames: Frames
    masks: Masks
    marked: int


def box_of(mask: Masks) -> Box | None:
    """The smallest box around the pixels (rows, columns) that are set, or None."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return None
    return int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def film(frames: int, seed: int) -> Film:
    """A film of so many frames; another seed gives another bush, lamp, light, noise and track."""
    rng = np.random.default_rng(seed)
    still, bush = wall_and_lawn(rng), texture(rng, 1.2) > 0
    lamp = rng.random(frames) < 0.4
    phases = rng.uniform(0, 2 * np.pi, 3)
    places = track(frames, rng)
    pictures = np.empty((frames, ROWS, COLUMNS, 3), np.uint8)
    masks = np.zeros((frames, ROWS, COLUMNS), bool)
    for t in range(frames):
        scene = still.copy()
        sway(scene, bush, 2.5 * np.sin(2 * np.pi * t / 17 + phases[0]))
        scene[40:52, 54:64] = (235, 235, 250) if lamp[t] else (60, 70, 120)
        masks[t] = put_object(scene, places[t])
        scene *= light(t, frames, phases)[:, :, None]
        pictures[t] = np.clip(scene + NOISE * rng.standard_normal(scene.shape), 0, 255).round()
    return Film(pictures, masks, int((places[:, 0] >= RADII[0]).argmax()))


def texture(rng: np.random.Generator, grain: float) -> Floats:
    """Blotches (rows, columns) of this size in pixels, standard deviation 1."""
    blotches = gaussian_filter(rng.standard_normal((ROWS, COLUMNS)), grain, mode="wrap")
    return np.asarray(blotches / blotches.std())


def wall_and_lawn(rng: np.random.Generator) -> Floats:
    """What keeps still: a grey wall, a green lawn, and a door in the object's colours."""
    scene = np.empty((ROWS, COLUMNS, 3))
    scene[:44], scene[44:] = (150, 145, 140), (90, 120, 70)
    scene += 8 * texture(rng, 6)[:, :, None] + 6 * texture(rng, 1)[:, :, None]
    scene[4:17, 90:122], scene[17:30, 90:122] = 0.9 * RED, 0.9 * YELLOW
    return scene


def sway(scene: Floats, bush: Masks, shift: float) -> None:
    """Leaves, dark and bright, moved sideways by some pixels."""
    moved = np.roll(bush, round(shift), axis=1)[8:44, 8:42, None]
    scene[8:44, 8:42] = np.where(moved, (120.0, 150.0, 60.0), (35.0, 60.0, 30.0))


def track(frames: int, rng: np.random.Generator) -> Floats:
    """The object's centre (frames, 2) as column and row: in from the left, then to and fro, up and down."""
    since = np.arange(frames) - ENTERS
    left, right = RADII[0] + 2, COLUMNS - RADII[0] - 3
    way = rng.uniform(1.6, 2.0) * since - RADII[0]
    back_and_forth = left + np.abs((way - left + (right - left)) % (2 * (right - left)) - (right - left))
    column = np.where(way < left, way, back_and_forth)
    row = 60 + 20 * np.sin(2 * np.pi * since / 80 + rng.uniform(0, 2 * np.pi))
    return np.stack([column, row], axis=1)


def put_object(scene: Floats, place: Floats) -> Masks:
    """Draw the object into the scene; which pixels (rows, columns) it covers."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    across, down = (x - place[0]) / RADII[0], (y - place[1]) / RADII[1]
    inside: Masks = across**2 + down**2 <= 1
    colour = np.where((down < 0.15)[:, :, None], RED, YELLOW) * (0.8 - 0.2 * across)[:, :, None]
    scene[inside] = colour[inside]
    return inside


def light(t: int, frames: int, phases: Floats) -> Floats:
    """How bright each pixel (rows, columns) is: the sun goes slowly, the shadow passes once."""
    sun = 1 + 0.08 * np.sin(np.pi * t / frames + phases[1])
    middle = COLUMNS * (1.2 - 1.9 * (t / frames - 0.25) + 0.1 * np.sin(phases[2]))  # from right to left
    reach = np.abs(np.arange(COLUMNS) - middle)
    dark = (1 - SHADE) / (1 + np.exp((reach - 15) / 1.5))
    lawn = 1 / (1 + np.exp(-(np.arange(ROWS) - 47) / 1.5))
    return np.asarray(sun * (1 - dark[None, :] * lawn[:, None]))
