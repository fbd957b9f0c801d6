"""The front end: what is extracted, a voice activity rule and the steps after them, as one value.

    samples -> MFCC | spectral features | librosa's -> voiced? -> steps -> frames

The same value is made in training, stored in the model file and used in scoring, so they cannot disagree.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.corpus.audio import Clip
from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.chain import run, run_voiced
from gmmaudio.features.context import Deltas, ShiftedDeltas
from gmmaudio.features.dialects import dialect_of
from gmmaudio.features.extract import Extractor, Heard, extract
from gmmaudio.features.frames import Frames, Real, Voiced
from gmmaudio.features.librosa_steps import LibrosaConstantQ, LibrosaTempo
from gmmaudio.features.mfcc import Mfcc, check_length
from gmmaudio.features.normalise import Normalise
from gmmaudio.features.settings import check_keys, settings_from
from gmmaudio.features.sliding import SlidingNormalise
from gmmaudio.features.spectral import Spectral
from gmmaudio.features.texture import Texture
from gmmaudio.features.vad import EnergyVad, MixtureVad

Step = Deltas | ShiftedDeltas | Normalise | SlidingNormalise | Texture
Vad = EnergyVad | MixtureVad
Whole = LibrosaTempo | LibrosaConstantQ
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
WHOLE: dict[str, type[Whole]] = {"librosa_tempo": LibrosaTempo, "librosa_constant_q": LibrosaConstantQ}


@dataclass(frozen=True)
class FrontEnd:
    """From a clip to frames.

    Parameters
    ----------
    mfcc : Mfcc
        Its ``rate`` is the rate that clips are brought to, and its frames and spectra are everybody's.
    vad : EnergyVad or MixtureVad
        Which frames count; decided on raw energy.
    steps : tuple of Deltas, ShiftedDeltas, Normalise, SlidingNormalise, Texture
        Applied in order to all frames.
    spectral : Spectral, optional
        Features of the same spectra, beside the MFCC. They see pre-emphasis where ``mfcc`` has it.
    whole : tuple of LibrosaTempo, LibrosaConstantQ, default none
        What librosa makes from the whole clip, beside the others; slow, and the samples are kept in memory.

    Examples
    --------
    >>> PRESETS["speech"].dimension
    30
    """

    mfcc: Mfcc = field(default_factory=Mfcc)
    vad: Vad = field(default_factory=EnergyVad)
    steps: tuple[Step, ...] = ()
    spectral: Spectral | None = None
    whole: tuple[Whole, ...] = ()

    def __post_init__(self) -> None:
        if len(self.steps) > MAX_STEPS:
            raise DataError("bad_setting", f"{len(self.steps)} steps; at most {MAX_STEPS}")
        if not 1 <= self.dimension <= MAX_DIMENSION:
            raise DataError("bad_setting", f"{self.dimension} values per frame; at most {MAX_DIMENSION}")
        if self.spectral is not None:
            self.spectral.check(self.mfcc.framing)

    @property
    def rate(self) -> int:
        return self.mfcc.rate

    @property
    def extractors(self) -> tuple[Extractor, ...]:
        """What makes columns from the spectra."""
        return (self.mfcc,) if self.spectral is None else (self.mfcc, self.spectral)

    @property
    def dimension(self) -> int:
        """The number of values per frame."""
        d = self.mfcc.dimension + (self.spectral.dimension if self.spectral else 0)
        d += sum(extractor.dimension for extractor in self.whole)
        for step in self.steps:
            d = step.dimension(d)
        return d

    def __call__(self, clip: Clip) -> Frames:
        """The frames of a clip at this front end's rate.

        Raises
        ------
        ClipError
            ``too_short`` (less than one window), ``silence`` (no frame is voiced); the same for fewer voiced frames
            than `Normalise` takes.
        """
        return self.from_blocks((clip.samples,))

    def from_blocks(self, blocks: Iterable[Real]) -> Frames:
        """The frames of samples that come in pieces of any size: the same bits as from the whole clip.

        Parameters
        ----------
        blocks : iterable of (m,) float32
            Mono samples at this front end's rate, one piece after the other.

        Raises
        ------
        ClipError
            As for a clip.

        Examples
        --------
        >>> tone = np.sin(np.arange(8000, dtype=np.float32))
        >>> one, many = PRESETS["speech"].from_blocks([tone]), PRESETS["speech"].from_blocks(np.split(tone, 80))
        >>> bool((one.values == many.values).all())
        True
        """
        return run(self.steps, self._extracted(blocks))

    def voiced_frames(self, blocks: Iterable[Real]) -> Voiced:
        """The voiced frames alone, for long recordings: the others are never held at their full width.

        Parameters and errors are those of ``from_blocks``, and the bits those of its ``selected()``.
        """
        frames = self._extracted(blocks)
        return Voiced(run_voiced(self.steps, frames), len(frames.values), frames.hop)

    def _extracted(self, blocks: Iterable[Real]) -> Frames:
        """Frames before the first step."""
        heard = Heard(blocks, keep=bool(self.whole))
        columns, energies = extract(self.mfcc.framing, self.extractors, heard)
        check_length(self.mfcc, heard.samples)
        voiced = self._with_neighbours(self.vad(energies))
        self._require(int(voiced.sum()), len(voiced))
        if self.whole:
            samples = np.concatenate(heard.kept)
            columns += [extractor(samples, self.mfcc.framing, len(voiced)) for extractor in self.whole]
        values = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
        return Frames(values, voiced, self.mfcc.hop_samples / self.rate)

    def _require(self, voiced: int, total: int) -> None:
        """Refuse too few voiced frames."""
        least = max((step.least for step in self.steps if isinstance(step, Normalise)), default=1)
        if voiced == 0:
            text = f"none of the clip's {total} frames is loud enough to count"
            raise ClipError("silence", text, "listen to the recording; digital silence cannot be classified")
        if voiced < least:
            text = f"{voiced} of the clip's {total} frames are loud enough to count; normalising variance takes {least}"
            raise ClipError("silence" if total >= least else "too_short", text, "leave it out, or take a longer part")

    def _with_neighbours(self, voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which frames count, less those at the clip's ends whose shifted deltas look at frames that are not there.

        Beyond the clip frames repeat, so that such deltas are zero; in training one label's mixture gathers these
        frames, and then a short clip is that label's. A clip too short for any other frame keeps them.
        """
        steps = [step for step in self.steps if isinstance(step, ShiftedDeltas)]
        inside = voiced.copy()
        inside[: sum(step.spread for step in steps)] = False
        inside[max(0, len(voiced) - sum(step.halo for step in steps)) :] = False
        return inside if inside.any() else voiced

    def as_dict(self) -> dict[str, Any]:
        """Plain values that ``front_end_from`` reads back."""
        plain = {
            "mfcc": asdict(self.mfcc),
            "vad": _plain(self.vad, VADS),
            "steps": [_plain(step, STEPS) for step in self.steps],
        }
        if self.spectral is not None:
            plain["spectral"] = asdict(self.spectral)
        if self.whole:
            plain["whole"] = [_plain(extractor, WHOLE) for extractor in self.whole]
        return plain


def front_end_from(values: Mapping[str, Any]) -> FrontEnd:
    """The front end that plain values describe, every name and type checked.

    ``mfcc`` may name a ``dialect`` whose values are taken where no other is given.

    Raises
    ------
    DataError
        ``unknown_key`` naming the nearest, ``bad_setting``, ``unknown_dialect``.
    """
    check_keys(values, ("mfcc", "vad", "steps", "spectral", "whole"), "a front end")
    return FrontEnd(
        _mfcc(values.get("mfcc", {})),
        _typed({"type": "energy"}, values.get("vad", {}), VADS, "vad"),
        tuple(_typed({}, step, STEPS, "a step") for step in _list(values, "steps")),
        settings_from(Spectral, values["spectral"], "spectral") if "spectral" in values else None,
        tuple(_typed({}, extractor, WHOLE, "a whole") for extractor in _list(values, "whole")),
    )


def _mfcc(values: object) -> Mfcc:
    base = Mfcc()
    if isinstance(values, Mapping) and "dialect" in values:
        base = dialect_of(values["dialect"])
        values = {key: value for key, value in values.items() if key != "dialect"}
    found: Mfcc = settings_from(Mfcc, values, "mfcc", base)
    return found


def _list(values: Mapping[str, Any], name: str) -> list[object]:
    found = values.get(name, [])
    if not isinstance(found, list):
        raise DataError("bad_setting", f"{name} must be a list of tables, got {type(found).__name__}")
    return found


def _typed(assumed: Mapping[str, str], values: object, types: Mapping[str, type[Any]], what: str) -> Any:
    """One of several kinds of settings, told apart by the key ``type``, which may be ``assumed``."""
    if not isinstance(values, Mapping):
        raise DataError("bad_setting", f"{what} must be a table with a type, got {values!r}")
    values = {**assumed, **values}
    name = values.pop("type", None)
    if not isinstance(name, str) or name not in types:
        raise DataError("bad_setting", f"{what} of type {name!r}, known are {', '.join(types)}")
    return settings_from(types[name], values, name)


def _plain(value: Any, types: Mapping[str, type[Any]]) -> dict[str, Any]:
    names = {kind: name for name, kind in types.items()}
    return {"type": names[type(value)], **asdict(value)}


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


PRESETS: dict[str, FrontEnd] = {
    "general": FrontEnd(Mfcc(rate=22050, n_mfcc=20, n_mels=40), EnergyVad(), (Deltas(order=2),)),
    "speech": FrontEnd(
        Mfcc(rate=8000, n_mfcc=10, n_mels=23),
        EnergyVad(),
        (Normalise(variance=True), Deltas(order=2, reach=3)),
    ),
    "language": FrontEnd(
        Mfcc(rate=8000, window=0.020, n_mfcc=7, n_mels=23, high=3700.0, energy=True),
        EnergyVad(threshold=5.5, mean_scale=0.5),
        (SlidingNormalise(window=300), ShiftedDeltas()),
    ),
    "genre": FrontEnd(
        Mfcc(rate=22050, window=2048 / 22050, hop=512 / 22050, n_mfcc=13, n_mels=40, preemphasis=0.0, shape="hann"),
        EnergyVad(),
        (Texture(window=43),),
        Spectral(),
    ),
}
