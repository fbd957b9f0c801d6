"""Shards: pieces that are gathered are cut as their concatenation would be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gmmaudio.gmm.shards import Shard, cut, gather, sample_frames


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 12), st.integers(0, 100))
def test_gathered_pieces_are_cut_as_their_concatenation(lengths: list[int], size: int, seed: int) -> None:
    whole = np.random.default_rng(seed).standard_normal((sum(lengths), 2)).astype(np.float32)
    pieces = np.split(whole, np.cumsum(lengths)[:-1])
    gathered, plain = gather(pieces, size), cut(whole, size=size)
    assert [len(shard) for shard in gathered] == [len(shard) for shard in plain]
    for one, other in zip(gathered, plain, strict=True):
        np.testing.assert_array_equal(one.load(), other.load())
    one, other = (sample_frames(shards, 5, np.random.default_rng(seed)) for shards in (gathered, plain))
    np.testing.assert_array_equal(one, other)


def test_within_one_piece_nothing_is_copied() -> None:
    piece = np.zeros((10, 2), np.float32)
    assert all(np.shares_memory(shard.load(), piece) for shard in gather([piece, piece[:1]], 5)[:2])


def test_what_knows_its_length_is_not_asked_for_its_frames() -> None:
    class Source:
        def __len__(self) -> int:
            return 7

        def __call__(self) -> np.ndarray:
            raise AssertionError

    assert len(Shard(Source())) == 7
    assert len(Shard(lambda: np.zeros((3, 1)))) == 3
