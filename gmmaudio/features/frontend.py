"""The front end: an extractor, a voice activity rule and the steps after them, as one value.

The same value is made in training, stored in the model file and used in scoring, so they cannot disagree.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any

from gmmaudio.corpus.audio import Clip
from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.context import Deltas, ShiftedDeltas
from gmmaudio.features.frames import Frames
from gmmaudio.features.mfcc import Mfcc, check_length
from gmmaudio.features.normalise import Normalise
from gmmaudio.features.sliding import SlidingNormalise
from gmmaudio.features.texture import Texture
from gmmaudio.features.vad import EnergyVad, MixtureVad

Step = Deltas | ShiftedDeltas | Normalise | SlidingNormalise | Texture
Vad = EnergyVad | MixtureVad
MAX_DIMENSION = 4096
MAX_STEPS = 16
STEPS: dict[str, type[Step]] = {
    "deltas": Deltas,
    "shifted_deltas": ShiftedDeltas,
    "normalise": Normalise,
    "sliding_normalise": SlidingNormalise,
    "texture": Texture,
}
VADS: dict[str, type[Vad]] = {"energy": EnergyVad, "mixture": MixtureVad}


@dataclass(frozen=True)
class FrontEnd:
    """From a clip to frames.

    Parameters
    ----------
    mfcc : Mfcc
        The extractor; its ``rate`` is the rate that clips are brought to.
    vad : EnergyVad or MixtureVad
        Which frames count; decided on raw energy.
    steps : tuple of Deltas, ShiftedDeltas, Normalise, SlidingNormalise, Texture
        Applied in order to all frames.

    Examples
    --------
    >>> PRESETS["speech"].dimension
    30
    """

    mfcc: Mfcc = field(default_factory=Mfcc)
    vad: Vad = field(default_factory=EnergyVad)
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if len(self.steps) > MAX_STEPS:
            raise DataError("bad_setting", f"{len(self.steps)} steps; at most {MAX_STEPS}")
        if not 1 <= self.dimension <= MAX_DIMENSION:
            raise DataError("bad_setting", f"{self.dimension} values per frame; at most {MAX_DIMENSION}")

    @property
    def rate(self) -> int:
        return self.mfcc.rate

    @property
    def dimension(self) -> int:
        """The number of values per frame."""
        d = self.mfcc.dimension
        for step in self.steps:
            d = step.dimension(d)
        return d

    def __call__(self, clip: Clip) -> Frames:
        """The frames of a clip at this front end's rate.

        Raises
        ------
        ClipError
            ``too_short`` (less than one window), ``silence`` (no frame is voiced).
        """
        check_length(self.mfcc, len(clip.samples))
        values, energies = self.mfcc(clip.samples)
        frames = Frames(values, self.vad(energies), self.mfcc.hop_samples / self.rate)
        if not frames.voiced.any():
            raise ClipError(
                "silence",
                f"none of the clip's {len(values)} frames is loud enough to count",
                "listen to the recording; digital silence cannot be classified",
            )
        for step in self.steps:
            frames = step(frames)
        return frames

    def as_dict(self) -> dict[str, Any]:
        """Plain values that ``front_end_from`` reads back."""
        names = {kind: name for name, kind in (STEPS | VADS).items()}
        return {
            "mfcc": asdict(self.mfcc),
            "vad": {"type": names[type(self.vad)], **asdict(self.vad)},
            "steps": [{"type": names[type(step)], **asdict(step)} for step in self.steps],
        }


def front_end_from(values: Mapping[str, Any]) -> FrontEnd:
    """The front end that plain values describe, every name and type checked.

    Raises
    ------
    DataError
        ``unknown_key`` naming the nearest, ``bad_setting``.
    """
    _check_keys(values, {"mfcc", "vad", "steps"}, "a front end")
    steps = values.get("steps", [])
    if not isinstance(steps, list):
        raise DataError("bad_setting", f"steps must be a list of tables, got {type(steps).__name__}")
    return FrontEnd(
        _value(Mfcc, values.get("mfcc", {}), "mfcc"),
        _typed(VADS, {"type": "energy"}, values.get("vad", {}), "vad"),
        tuple(_typed(STEPS, {}, step, "a step") for step in steps),
    )


def preset(name: str) -> FrontEnd:
    """A preset by name, or the front end of a TOML file.

    Raises
    ------
    DataError
        ``unknown_preset``, ``no_such_file``, ``bad_toml``, ``unknown_key``, ``bad_setting``.
    """
    if name in PRESETS:
        return PRESETS[name]
    if not name.endswith(".toml"):
        raise DataError("unknown_preset", f"preset {name!r}, known are {', '.join(PRESETS)}", "or name a FILE.toml")
    path = Path(name)
    if not path.is_file():
        raise DataError("no_such_file", f"there is no file {name}")
    try:
        return front_end_from(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError("bad_toml", f"{name} is not TOML: {error}") from error


def _typed(kinds: Mapping[str, type[Any]], assumed: Mapping[str, str], values: object, what: str) -> Any:
    """One of several kinds of settings, told apart by the key ``type``, which may be ``assumed``."""
    if not isinstance(values, Mapping):
        raise DataError("bad_setting", f"{what} must be a table with a type, got {values!r}")
    values = {**assumed, **values}
    name = values.pop("type", None)
    if not isinstance(name, str) or name not in kinds:
        raise DataError("bad_setting", f"{what} of type {name!r}, known are {', '.join(kinds)}")
    return _value(kinds[name], values, name)


def _value(cls: type[Any], values: object, where: str) -> Any:
    """A settings dataclass from plain values; integers may stand for floats, nothing else is converted."""
    if not isinstance(values, Mapping):
        raise DataError("bad_setting", f"{where} must be a table, got {values!r}")
    defaults = {item.name: getattr(cls(), item.name) for item in fields(cls)}
    _check_keys(values, set(defaults), where)
    checked = {}
    for key, value in values.items():
        kind = type(defaults[key])
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or (kind is float and not isfinite(value)):
            raise DataError("bad_setting", f"{where}.{key} must be {kind.__name__}, got {value!r}")
        checked[key] = value
    return cls(**checked)


def _check_keys(values: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            raise DataError(
                "unknown_key",
                f"{where} has no setting {key!r}; it has {', '.join(sorted(known))}",
                f"did you mean {near[0]!r}?" if near else "",
            )


PRESETS: dict[str, FrontEnd] = {
    "general": FrontEnd(Mfcc(rate=22050, n_mfcc=20, n_mels=40), EnergyVad(), (Deltas(order=2),)),
    "speech": FrontEnd(
        Mfcc(rate=8000, n_mfcc=10, n_mels=23),
        EnergyVad(),
        (Normalise(variance=True), Deltas(order=2, reach=3)),
    ),
    "language": FrontEnd(
        Mfcc(rate=8000, window=0.020, n_mfcc=7, n_mels=23, high=3700.0),
        EnergyVad(threshold=5.5, mean_scale=0.5),
        (Normalise(), ShiftedDeltas()),
    ),
    "genre": FrontEnd(Mfcc(rate=22050, n_mfcc=20, n_mels=40), EnergyVad(), (Deltas(order=1),)),
}
