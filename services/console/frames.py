"""What browsers are sent: the whole fleet once, then the rows that changed.

Numbers travel as little-endian arrays in base64 inside JSON: one parser in the browser, exact
values, and about a third of the size of decimal text.
"""

import base64
import math
import re
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from services.console.feed import LiveFleet
from services.console.summary import fleet_summary
from twin.state import IntArray

MS_PER_NS = 1e-6


def encode(values: NDArray[Any], dtype: str) -> str:
    """Base64 of an array in the given little-endian type."""
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode("ascii")


def picture(live: LiveFleet, rows: IntArray) -> dict[str, Any]:
    """The newest picture, restricted to some rows: arrays `rows` u4, `times` f8 [ms], `values` f4.

    `values` is (rows, channels) in the order of the roster's `channels`.
    """
    rate = live.clock.rate()
    return {
        "run": live.run,
        "tick": live.tick_number,
        "roster": live.roster.version,
        "newest_ms": live.clock.newest_ns * MS_PER_NS,
        "now_ms": live.clock.now_ns() * MS_PER_NS,
        "rate": None if math.isnan(rate) else rate,
        "summary": fleet_summary(live),
        "rows": encode(rows, "<u4"),
        "times": encode(live.time_ns[rows] * MS_PER_NS, "<f8"),
        "values": encode(live.values[rows], "<f4"),
    }


def whole_fleet(live: LiveFleet) -> bytes:
    """Answer of /api/fleet: who the satellites are, their values, and where they came from."""
    satellites = live.roster.satellites
    planes = sorted({s.plane for s in satellites}, key=natural)
    presets = sorted({s.preset for s in satellites}, key=natural)
    plane_index = {plane: i for i, plane in enumerate(planes)}
    preset_index = {preset: i for i, preset in enumerate(presets)}
    everything = np.arange(len(satellites))
    return orjson.dumps(
        {
            "fleet": live.fleet_name,
            "channels": live.channels,
            "ids": [s.satellite_id for s in satellites],
            "names": [s.name for s in satellites],
            "planes": planes,
            "plane": encode(np.array([plane_index[s.plane] for s in satellites]), "<u4"),
            "presets": presets,
            "preset": encode(np.array([preset_index[s.preset] for s in satellites]), "<u4"),
            "intervals": encode(live.interval_s, "<f4"),
            "previous_times": encode(live.previous_time_ns * MS_PER_NS, "<f8"),
            "previous_positions": encode(live.previous_position_deg, "<f4"),
            "picture": picture(live, everything),
        }
    )


def event(live: LiveFleet, since: int) -> bytes:
    """One server-sent event with everything that changed after picture `since`."""
    body = orjson.dumps(picture(live, live.changed_since(since)))
    return b"id: %s-%d\nevent: picture\ndata: %s\n\n" % (
        live.run.encode(),
        live.tick_number,
        body,
    )


def natural(text: str) -> tuple[int | str, ...]:
    """Sort key that puts plane 2 before plane 10: text and numbers alternate."""
    parts = re.split(r"([0-9]+)", text)
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts))
