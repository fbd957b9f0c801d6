"""Invented fans: how they sound when they are well, and three things that go wrong.

A machine's sound is a sum of three parts: lines at multiples of the shaft's speed, the strongest at the blades' rate
and one at a gear's; the hiss of bearings, which swells and fades with the shaft; the hall, noise with more of the low
frequencies. Load moves the speed and the lines' strength; every day has its own load, hall and gain. Every clip,
whatever it holds, is scaled to a level that says nothing: an anomaly has the energy of a normal clip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RATE = 22050
KINDS = ("knock", "shifted line", "rattle")


@dataclass(frozen=True)
class Machine:
    """What belongs to one machine: shaft speed in Hz, blades, the gear's line in turns of the shaft, hiss in Hz."""

    name: str
    shaft: float
    blades: int
    gear: float
    hiss: float


MACHINES = (
    Machine("section_00", 24.3, 7, 47.0, 2600.0),
    Machine("section_01", 29.6, 5, 61.0, 3400.0),
    Machine("section_02", 19.1, 9, 71.0, 1900.0),
)


@dataclass(frozen=True)
class Session:
    """What a day's recordings share: load in [-1, 1], the hall's slope in dB per octave and level in dB, gain in dB."""

    load: float
    slope: float
    hall: float
    gain: float


def new_session(generator: Generator) -> Session:
    """Another day."""
    return Session(
        generator.uniform(-1, 1), generator.normal(-4, 0.5), generator.normal(-9, 1.0), generator.normal(-26, 2)
    )


def normal_clip(machine: Machine, session: Session, seconds: float, generator: Generator) -> Floats:
    """(n,) samples of the machine when it is well."""
    return _levelled(_sound(machine, session, seconds, 1.0, generator), session, generator)


def anomalous_clip(machine: Machine, session: Session, kind: str, seconds: float, generator: Generator) -> Floats:
    """(n,) samples with a fault of a random severity."""
    severity = generator.uniform(0, 1)
    moved = 1 - 0.04 - 0.07 * severity if kind == "shifted line" else 1.0
    sound = _sound(machine, session, seconds, moved, generator)
    if kind != "shifted line":
        fault = (_knocks if kind == "knock" else _rattle)(machine, len(sound), generator)
        sound += _rms(sound) * 10 ** ((-22 + 10 * severity) / 20) * fault / _rms(fault)
    return _levelled(sound, session, generator)


def _sound(machine: Machine, session: Session, seconds: float, moved: float, generator: Generator) -> Floats:
    """All three parts; the gear's line is moved by this factor."""
    n = round(seconds * RATE)
    wobble = np.interp(np.arange(n), np.linspace(0, n, 9), generator.normal(0, 0.002, 9))
    speed = machine.shaft * (1 + 0.02 * session.load + 0.003 * generator.normal() + wobble)
    turns = np.cumsum(speed) / RATE + generator.uniform()
    lines = _lines(turns, machine, 1 + 0.3 * session.load, generator)
    lines += 0.35 * np.sin(2 * np.pi * (machine.gear * moved * turns + generator.uniform()))
    hiss = _noise(n, generator, lambda f: np.exp(-(np.log2(f / machine.hiss) ** 2) / (2 * 0.35**2)))
    hiss *= 1 + 0.3 * np.sin(2 * np.pi * turns)
    hall = _noise(n, generator, lambda f: (f / 100) ** (session.slope / 6.02))
    return lines / _rms(lines) + 0.3 * hiss + 10 ** (session.hall / 20) * hall


def _lines(turns: Floats, machine: Machine, load: float, generator: Generator) -> Floats:
    """The shaft's first 30 multiples, falling off; those of the blades' rate stand out."""
    step, power, total = np.exp(2j * np.pi * turns), np.ones(len(turns), complex), np.zeros(len(turns))
    for k in range(1, 31):
        power *= step
        size = (load if k % machine.blades == 0 else 0.15) / k**0.7
        total += size * (power * np.exp(2j * np.pi * generator.uniform())).real
    return total


def _knocks(machine: Machine, n: int, generator: Generator) -> Floats:
    """A bearing that is pitted at one place: 3.1 blows per turn, each ringing for a few ms."""
    fault, gap = np.zeros(n), RATE / (3.1 * machine.shaft)
    places = np.arange(generator.uniform(0, gap), n, gap) + generator.normal(0, 0.01 * gap, 1)
    np.add.at(fault, np.clip(places.astype(int), 0, n - 1), generator.uniform(0.7, 1.3, len(places)))
    t = np.arange(round(0.03 * RATE)) / RATE
    ringing = np.exp(-t / 0.003) * np.sin(2 * np.pi * 1.6 * machine.hiss * t)
    return np.convolve(fault, ringing)[:n]


def _rattle(machine: Machine, n: int, generator: Generator) -> Floats:
    """A loose cover: bursts of high noise, now and then."""
    noise = _noise(n, generator, lambda f: np.exp(-(np.log2(f / (2 * machine.hiss)) ** 2) / (2 * 0.3**2)))
    open_ = np.zeros(n)
    for start in generator.uniform(0, n, max(2, round(2 * n / RATE))).astype(int):
        open_[start : start + round(0.12 * RATE)] = 1
    return noise * open_


def _noise(n: int, generator: Generator, shape: Callable[[Floats], Floats]) -> Floats:
    """Noise whose spectrum has this amplitude over frequency in Hz, of RMS 1."""
    frequencies = np.maximum(np.fft.rfftfreq(n, 1 / RATE), 20)
    found: Floats = np.fft.irfft(np.fft.rfft(generator.normal(size=n)) * shape(frequencies), n)
    return found / _rms(found)


def _levelled(sound: Floats, session: Session, generator: Generator) -> Floats:
    """At the session's gain, give or take a decibel; so that the energy tells nothing."""
    return sound / _rms(sound) * 10 ** ((session.gain + generator.normal()) / 20)


def _rms(sound: Floats) -> float:
    return float(np.sqrt(np.mean(sound**2)))
