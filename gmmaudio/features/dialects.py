"""MFCC and log-mel energies of one array, in the dialects of other programs.

Programs that say MFCC agree on the chain and on little else: the same clip gives figures that differ by tens. A dialect
is a value of ``Mfcc``, which has a field for every choice in which they differ; a new one is a new row of ``DIALECTS``.

References
----------
Povey et al. (2011), The Kaldi speech recognition toolkit.
McFee et al. (2015), librosa: audio and music signal analysis in Python.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmaudio.corpus.audio import clip_from_array
from gmmaudio.errors import DataError
from gmmaudio.features.mfcc import Mfcc, check_length
from gmmaudio.features.settings import settings_from
from gmmaudio.features.spectrum import Real

DIALECTS: dict[str, Mfcc] = {
    "kaldi": Mfcc(),
    "librosa": Mfcc(
        rate=22050,
        window=0.0,
        hop=0.0,
        n_fft=2048,
        n_mels=128,
        low=0.0,
        preemphasis=0.0,
        shape="hann",
        periodic=True,
        remove_mean=False,
        scale=1.0,
        mel="slaney",
        triangles="hz",
        norm="area",
        nyquist=True,
        log="db",
        floor=1e-10,
        top_db=80.0,
        lifter=0.0,
        lifter_first=1,
        centred=True,
    ),
}
"""Whose definition: values of ``Mfcc`` by name."""


def dialect_of(name: object) -> Mfcc:
    """A dialect by name.

    Raises
    ------
    DataError
        ``unknown_dialect``.
    """
    if not isinstance(name, str) or name not in DIALECTS:
        raise DataError("unknown_dialect", f"dialect {name!r}, known are {', '.join(DIALECTS)}")
    return DIALECTS[name]


def mfcc(samples: ArrayLike, rate: int, dialect: str = "kaldi", n_mfcc: int = 13, **settings: Any) -> Real:
    """Mel-frequency cepstral coefficients of one clip.

    Parameters
    ----------
    samples : (m,) real
        Mono. Floating point with full scale 1, or uint8, int16, int32 with their own full scale.
    rate : int
        Hz.
    dialect : "kaldi" or "librosa", default "kaldi"
        Whose definition: kaldi-native-fbank's without dither (to 3e-3, at worst 6e-3), or
        ``librosa.feature.mfcc``'s (to 1e-3).
    n_mfcc : int, default 13
        Coefficients kept, c0 included: more of them follow the spectrum's envelope more closely.
    **settings
        Any other field of ``gmmaudio.features.mfcc.Mfcc``, such as ``n_mels``, ``window``, ``hop``, ``n_fft``, ``low``,
        ``high``. What is not given is the dialect's.

    Returns
    -------
    (frames, n_mfcc) float32

    Raises
    ------
    DataError
        ``unknown_dialect``, ``unknown_key``, ``bad_setting``, ``bad_shape``.
    ClipError
        ``too_short`` (less than one window), and what ``gmmaudio.corpus.audio.clip_from_array`` raises.

    Examples
    --------
    >>> tone = np.sin(np.arange(16000) / 5)
    >>> mfcc(tone, 16000).shape
    (98, 13)
    >>> mfcc(tone, 16000, "librosa", n_mfcc=20, n_fft=512).shape
    (126, 20)
    """
    return _of_array(samples, rate, dialect, {"n_mfcc": n_mfcc, **settings})


def log_mel(samples: ArrayLike, rate: int, dialect: str = "kaldi", **settings: Any) -> Real:
    """Logarithms of the mel filters' energies of one clip: what the MFCC are made from.

    Parameters
    ----------
    samples, rate, dialect, **settings
        As in ``mfcc``.

    Returns
    -------
    (frames, n_mels) float32
        In nats (kaldi) or dB (librosa: ``librosa.power_to_db(librosa.feature.melspectrogram(...))``).

    Examples
    --------
    >>> log_mel(np.sin(np.arange(16000) / 5), 16000, n_mels=23).shape
    (98, 23)
    """
    return _of_array(samples, rate, dialect, {"output": "log_mel", **settings})


def _of_array(samples: ArrayLike, rate: int, dialect: str, settings: dict[str, Any]) -> Real:
    base = replace(dialect_of(dialect), n_mfcc=1)  # fits any n_mels; log-mel energies have none
    chosen: Mfcc = settings_from(Mfcc, {"rate": rate, **settings}, dialect, base)
    if np.ndim(samples) != 1:
        raise DataError("bad_shape", f"samples must be mono (m,), got shape {np.shape(samples)}")
    values = clip_from_array(samples, rate).samples
    check_length(chosen, len(values))
    return chosen(values)[0]
