"""Extractors that call librosa itself, for those who ask for them by name: ``librosa_tempo``, ``librosa_constant_q``.

They look at the whole clip at once, so its samples are kept in memory, and librosa's first call takes seconds. No
preset uses them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError
from gmmaudio.features.spectrum import Framing, Real

HOP = 512  # samples: librosa's, and a multiple of what its constant-Q transform needs


@dataclass(frozen=True)
class LibrosaTempo:
    """Beats per minute (``librosa.feature.tempo``), the same in every frame.

    Parameters
    ----------
    start : float, default 120
        Where the search begins: of a tempo and its double, the nearer wins.
    """

    start: float = 120.0

    def __post_init__(self) -> None:
        if not 20 <= self.start <= 320:
            raise DataError("bad_setting", f"a tempo of {self.start} to start from; 20 to 320 beats per minute")

    @property
    def dimension(self) -> int:
        return 1

    def __call__(self, samples: Real, framing: Framing, n: int) -> Real:
        """Of mono samples (m,) to (n, 1)."""
        import librosa  # costs seconds: only here, where asked for

        (tempo,) = librosa.feature.tempo(y=samples, sr=framing.rate, hop_length=HOP, start_bpm=self.start)
        return np.full((n, 1), tempo, np.float32)


@dataclass(frozen=True)
class LibrosaConstantQ:
    """Chroma from a constant-Q transform (``librosa.feature.chroma_cqt``), tuned to the clip.

    Parameters
    ----------
    octaves : int, default 7
        From C1 (32.7 Hz) upwards.
    """

    octaves: int = 7

    def __post_init__(self) -> None:
        if not 1 <= self.octaves <= 9:
            raise DataError("bad_setting", f"{self.octaves} octaves; 1 to 9 are allowed")

    @property
    def dimension(self) -> int:
        return 12

    def __call__(self, samples: Real, framing: Framing, n: int) -> Real:
        """Of mono samples (m,) to (n, 12): for each frame the transform's column nearest to its middle."""
        import librosa  # costs seconds: only here, where asked for

        chroma = librosa.feature.chroma_cqt(y=samples, sr=framing.rate, hop_length=HOP, n_octaves=self.octaves)
        middles = np.arange(n) * framing.hop - framing.lead + framing.width / 2
        nearest: NDArray[np.intp] = np.clip(np.rint(middles / HOP), 0, chroma.shape[1] - 1).astype(np.intp)
        return np.ascontiguousarray(chroma.T[nearest], dtype=np.float32)
