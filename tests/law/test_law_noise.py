"""Noise follows the name and the counter, never the row, the shard or the order of asking."""

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.noise import derived_keys, exponential, normal, normals, satellite_keys, uniform

IDS = [f"STARLINK_{1000 + i}" for i in range(257)]
DRAWS = [uniform, normal, exponential]


@pytest.mark.parametrize("draw", DRAWS)
def test_law_shards_and_order_do_not_change_a_byte(draw) -> None:  # type: ignore[no-untyped-def]
    keys = satellite_keys(IDS)
    whole = draw(3, "sensor", keys, 12)
    for size in (1, 2, 7, 64, 100):
        shards = [
            draw(3, "sensor", satellite_keys(IDS[i : i + size]), 12)
            for i in range(0, len(IDS), size)
        ]
        assert np.concatenate(shards).tobytes() == whole.tobytes()
    order = np.random.default_rng(1).permutation(len(IDS))
    assert draw(3, "sensor", keys[order], 12).tobytes() == whole[order].tobytes()


def test_law_many_streams_at_once_are_the_same_bytes_as_each_alone() -> None:
    keys, streams = satellite_keys(IDS), ("eps_soc_pct", "tcs_die_t_c", "rad_tid_rad")
    table = normals(3, streams, keys, 12)
    for row, stream in zip(table, streams, strict=True):
        assert row.tobytes() == normal(3, stream, keys, 12).tobytes()


@pytest.mark.parametrize("draw", DRAWS)
def test_law_counters_as_numbers_or_as_an_array_agree(draw) -> None:  # type: ignore[no-untyped-def]
    keys = satellite_keys(IDS)
    table = draw(3, "sensor", keys[:, np.newaxis], np.arange(-3, 9, dtype=np.int64))
    for column, counter in enumerate(range(-3, 9)):
        assert draw(3, "sensor", keys, counter).tobytes() == table[:, column].tobytes()


@given(
    seed=st.integers(),
    stream=st.text(max_size=20),
    counter=st.integers(min_value=-(2**63), max_value=2**63 - 1),
    name=st.text(min_size=1, max_size=20),
)
def test_law_numbers_are_finite_and_inside_the_open_interval(
    seed: int, stream: str, counter: int, name: str
) -> None:
    keys = satellite_keys([name])
    assert 0.0 < uniform(seed, stream, keys, counter)[0] < 1.0
    assert np.isfinite(normal(seed, stream, keys, counter)[0])
    assert 0.0 < exponential(seed, stream, keys, counter)[0] < 40.0


def test_law_every_argument_matters() -> None:
    keys = satellite_keys(IDS)
    base = uniform(3, "sensor", keys, 12)
    others = [
        uniform(4, "sensor", keys, 12),
        uniform(3, "sensors", keys, 12),
        uniform(3, "sensor", keys, 13),
        uniform(3, "sensor", derived_keys(keys, 0), 12),
        uniform(3, "sensor", derived_keys(keys, 1), 12),
    ]
    everything = np.concatenate([base, *others])
    assert np.unique(everything).size == everything.size


def test_law_keys_are_the_published_hash_of_the_name() -> None:
    digest = blake2b(b"STARLINK_1000", digest_size=8).digest()
    assert satellite_keys(IDS)[0] == int.from_bytes(digest, "little")
    assert satellite_keys([]).shape == (0,)
    assert np.unique(satellite_keys([f"S{i}" for i in range(20_000)])).size == 20_000
