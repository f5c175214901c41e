"""How many satellites are in each range of a channel: `fleet_hist`, for heat maps of the fleet.

A dashboard cannot read ten thousand series to show a distribution; a dozen counts say the same.
A row has the tags `channel` and `le`, the upper edge of its bin, and the count of satellites above
the edge before it; the first bin has everything below, the last everything above. Counts are not
added up from bin to bin.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from twin.frames import FieldLayout, encode_rows, row_template
from twin.state import FloatArray, IntArray

HIST_MEASUREMENT: Final = "fleet_hist"
CHANNEL_TAG: Final = "channel"
EDGE_TAG: Final = "le"
COUNT_FIELD: Final = "sats_count"


@dataclass(frozen=True)
class Distribution:
    """Bins of one channel, in its unit, ascending."""

    channel: str
    edges: tuple[float, ...]


DISTRIBUTIONS: Final = (
    Distribution("eps_soc_pct", tuple(float(edge) for edge in range(10, 101, 10))),
    Distribution(
        "tcs_die_max_t_c",
        (0.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 90.0, 100.0),
    ),
    Distribution(
        "rad_dose_rate_rad_day",
        (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0),
    ),
)
"""What is counted; edges include the dictionary's limits where they fall on whole tens."""


_LAYOUT: Final = FieldLayout((COUNT_FIELD,), (), np.zeros(1, dtype=np.int64))


def bin_counts(values: FloatArray, edge_values: tuple[float, ...]) -> IntArray:
    """Satellites in each bin, (len(edge_values),); values (n,) that are nan are in none.

    A value equal to an edge is in the bin that the edge ends.
    """
    known = values[~np.isnan(values)]
    index = np.searchsorted(np.array(edge_values), known, side="left")
    counts = np.bincount(np.minimum(index, len(edge_values) - 1), minlength=len(edge_values))
    return counts.astype(np.int64)


def encode_bins(fleet_name: str, columns: dict[str, FloatArray], time_ns: int) -> bytes:
    """Line protocol of every distribution from the channels of the whole fleet, (n,) each."""
    return b"".join(
        encode_rows(
            [_head(fleet_name, one.channel, edge) for edge in one.edges],
            _LAYOUT,
            bin_counts(columns[one.channel], one.edges).astype(np.float64)[:, np.newaxis],
            np.zeros((len(one.edges), 0), dtype=np.int64),
            time_ns,
        )
        for one in DISTRIBUTIONS
    )


def _head(fleet_name: str, channel: str, edge: float) -> bytes:
    tags = {"fleet": fleet_name, CHANNEL_TAG: channel, EDGE_TAG: f"{edge:g}"}
    return row_template(HIST_MEASUREMENT, tags)
