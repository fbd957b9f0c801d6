"""Samples to rows of numbers: one spectrum pass feeds any number of extractors, whatever pieces the samples come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from gmmaudio.features.spectrum import Framing, Real, Spectra, spectra
from gmmaudio.parallel import one_blas_thread


class Extractor(Protocol):
    """What makes rows from spectra."""

    def start(self, framing: Framing) -> Callable[[Spectra], Real]:
        """A function that gives each block's rows (n, k); it may remember what it needs of the blocks before."""

    def finish(self, rows: Real, energy: Real) -> Real:
        """The values (n, d) once all rows (n, k) are there, and the log energies (n,)."""


def extract(framing: Framing, extractors: Sequence[Extractor], blocks: Iterable[Real]) -> tuple[list[Real], Real]:
    """The values (n, d) of each extractor, and the log energies (n,) on the scale of 16-bit integers.

    Parameters
    ----------
    framing : Framing
    extractors : sequence
    blocks : iterable of (m,) float32
        Mono samples, one piece after the other; how they are cut changes no bit of the result.
    """
    makers = [extractor.start(framing) for extractor in extractors]
    columns = [_Rows() for _ in makers]
    energies = _Rows()
    with one_blas_thread():  # the products are small: threads would cost more than they bring, and change bits
        for part in spectra(framing, blocks):
            energies.append(part.energy[:, None])
            for column, rows_of in zip(columns, makers, strict=True):
                column.append(rows_of(part))
        energy, rows = energies.array()[:, 0], [column.array() for column in columns]
        return [extractor.finish(every, energy) for extractor, every in zip(extractors, rows, strict=True)], energy


class _Rows:
    """Rows that come one block after the other; they grow in place, where joining would need the memory twice."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.width = 1

    def append(self, rows: Real) -> None:
        self.width = rows.shape[1]
        self.bytes += np.ascontiguousarray(rows).reshape(-1).data

    def array(self) -> Real:
        return np.frombuffer(self.bytes, np.float32).reshape(-1, self.width)


class Heard:
    """Blocks passed on, their samples counted, and kept where somebody needs them all."""

    def __init__(self, blocks: Iterable[Real], keep: bool) -> None:
        self.blocks, self.keep = blocks, keep
        self.samples = 0
        self.kept: list[Real] = []

    def __iter__(self) -> Iterator[Real]:
        for block in self.blocks:
            self.samples += len(block)
            if self.keep:
                self.kept.append(block)
            yield block
