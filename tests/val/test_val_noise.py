"""The hash as a random generator: distribution, independence, and SplitMix64's own numbers."""

import numpy as np
import pytest
from scipy import stats

from twin.noise import _mixed, exponential, normal, satellite_keys, uniform

KEYS = satellite_keys([f"SAT_{i}" for i in range(400)])
COUNTERS = np.arange(1000, dtype=np.int64)
# Many tests of a fixed sequence: 1e-4 each keeps a true generator's false alarms below 1 %.
SIGNIFICANCE = 1e-4


def _grid(seed: int = 7, stream: str = "test") -> np.ndarray:
    return uniform(seed, stream, KEYS[:, np.newaxis], COUNTERS)


def test_val_finaliser_is_that_of_splitmix64() -> None:
    # First outputs of SplitMix64 from seed 1234567, as published with its reference code.
    golden = 0x9E3779B97F4A7C15
    words = np.array([(1234567 + k * golden) % 2**64 for k in (1, 2, 3)], dtype=np.uint64)
    assert _mixed(words).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_val_uniform_distribution_over_counters_and_over_satellites() -> None:
    grid = _grid()
    assert stats.kstest(grid.ravel(), "uniform").pvalue > SIGNIFICANCE
    by_satellite = [stats.kstest(row, "uniform").pvalue for row in grid]
    by_tick = [stats.kstest(column, "uniform").pvalue for column in grid.T]
    assert stats.kstest(by_satellite, "uniform").pvalue > SIGNIFICANCE
    assert stats.kstest(by_tick, "uniform").pvalue > SIGNIFICANCE


def test_val_pairs_fill_the_square_evenly() -> None:
    grid = _grid()
    neighbours = {
        "next tick": (grid[:, :-1], grid[:, 1:]),
        "next satellite": (grid[:-1], grid[1:]),
        "other stream": (grid, _grid(stream="test2")),
        "next seed": (grid, _grid(seed=8)),
    }
    for name, (first, second) in neighbours.items():
        table, _, _ = np.histogram2d(first.ravel(), second.ravel(), bins=16)
        assert stats.chisquare(table.ravel()).pvalue > SIGNIFICANCE, name
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4.0 / first.size**0.5, name


def test_val_every_bit_is_fair() -> None:
    words = (_grid().ravel() * 2.0**52).astype(np.uint64)
    for bit in range(52):
        ones = int(np.count_nonzero(words >> np.uint64(bit) & np.uint64(1)))
        assert stats.binomtest(ones, words.size).pvalue > SIGNIFICANCE, bit


def test_val_normal_and_exponential_distributions() -> None:
    keys = KEYS[:, np.newaxis]
    z = normal(7, "test", keys, COUNTERS).ravel()
    assert stats.kstest(z, "norm").pvalue > SIGNIFICANCE
    assert stats.kurtosis(z) == pytest.approx(0.0, abs=5.0 * (24.0 / z.size) ** 0.5)
    gap = exponential(7, "test", keys, COUNTERS).ravel()
    assert stats.kstest(gap, "expon").pvalue > SIGNIFICANCE
    assert gap.min() > 0.0
