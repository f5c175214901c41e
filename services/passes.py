"""Ground-station passes of one satellite, found by Skyfield: `twin passes`."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table
from sgp4.api import Satrec

from services.almanac import Almanac, open_almanac, station_position
from services.runs import OpenedScenario
from twin.constants import SPEED_OF_LIGHT_M_S
from twin.errors import ConfigurationError, Problem
from twin.located_yaml import nearest
from twin.network import GROUND_STATIONS, GroundStation

_RISE: Final = 0  # as Skyfield numbers events; 1 is a culmination
_SET: Final = 2
_START, _END = -1, 3  # ends of the span


@dataclass(frozen=True)
class Pass:
    """One pass over one station; instants are UTC seconds since 1970.

    `rise_unix_s` or `set_unix_s` is None where the pass began before the span or goes on.
    """

    station: str
    rise_unix_s: float | None
    culmination_unix_s: float
    set_unix_s: float | None
    max_elevation_deg: float
    min_range_km: float  # slant range at culmination
    one_way_ms: float  # light time over it


def find_passes(
    almanac: Almanac,
    satrec: Satrec,
    station: GroundStation,
    *,
    start_unix_s: float,
    hours: float,
    mask_deg: float,
) -> list[Pass]:
    """Passes above an elevation [deg], geometric (no refraction), in order of time."""
    satellite, place = almanac.satellite(satrec), station_position(station)
    ends = almanac.times(np.array([start_unix_s, start_unix_s + hours * 3600.0]))
    times, events = satellite.find_events(place, ends[0], ends[1], altitude_degrees=mask_deg)
    # Terrestrial time from the start: leap seconds cannot enter a difference.
    since_s = np.concatenate(([0.0], (times.tt - ends[0].tt) * 86_400.0, [hours * 3600.0]))
    kinds = [_START, *events.tolist(), _END]
    looked_at = almanac.times(start_unix_s + since_s)
    altitude, _, distance = (satellite - place).at(looked_at).altaz()
    return [
        Pass(
            station=station.name,
            rise_unix_s=start_unix_s + float(since_s[rows[0]]) if kinds[rows[0]] == _RISE else None,
            culmination_unix_s=start_unix_s + float(since_s[top]),
            set_unix_s=start_unix_s + float(since_s[rows[-1]]) if kinds[rows[-1]] == _SET else None,
            max_elevation_deg=float(altitude.degrees[top]),
            min_range_km=float(distance.km[top]),
            one_way_ms=1e3 * float(distance.m[top]) / SPEED_OF_LIGHT_M_S,
        )
        for rows in _intervals(kinds, is_up=bool(altitude.degrees[0] > mask_deg))
        for top in [max(rows, key=lambda row: float(altitude.degrees[row]))]
    ]


def _intervals(kinds: list[int], is_up: bool) -> list[list[int]]:
    """Rows of the events of each pass, its ends included; `is_up` says how the span begins."""
    found: list[list[int]] = []
    for row, kind in enumerate(kinds):
        if kind == _RISE or (kind == _START and is_up):
            found.append([row])
            is_up = True
        elif is_up:
            found[-1].append(row)
            is_up = kind != _SET
    return found


def all_passes(opened: OpenedScenario, satellite: str, hours: float, mask_deg: float) -> list[Pass]:
    """Passes of a satellite over every station of the twin, in order of culmination.

    Raises ConfigurationError for a satellite that the scenario has not.
    """
    fleet, records = opened.build.fleet, opened.satrecs
    if satellite not in fleet.satellite_ids:
        known = list(fleet.satellite_ids)
        hint = nearest(satellite, known) if len(known) <= 20 else _close(satellite, known)
        message = f"no satellite {satellite!r}; {hint}"
        raise ConfigurationError([Problem(opened.scenario.file, None, "--sat", message)])
    satrec = records[fleet.satellite_ids.index(satellite)]
    with open_almanac() as almanac:
        found = [
            one
            for station in GROUND_STATIONS
            for one in find_passes(
                almanac,
                satrec,
                station,
                start_unix_s=opened.epoch_unix_s,
                hours=hours,
                mask_deg=mask_deg,
            )
        ]
    return sorted(found, key=lambda one: one.culmination_unix_s)


def print_passes(found: list[Pass], as_json: bool) -> None:
    """A table for people or one JSON array."""
    if as_json:
        print(orjson.dumps([asdict(one) for one in found], option=orjson.OPT_INDENT_2).decode())  # noqa: T201
        return
    table = Table("station", "rise UTC", "culmination", "set", "max elev", "range", "one way")
    for one in found:
        table.add_row(
            one.station,
            _clock(one.rise_unix_s, with_day=True),
            _clock(one.culmination_unix_s),
            _clock(one.set_unix_s),
            f"{one.max_elevation_deg:.1f} deg",
            f"{one.min_range_km:,.0f} km",
            f"{one.one_way_ms:.2f} ms",
        )
    Console(width=110).print(table)


def _clock(unix_s: float | None, with_day: bool = False) -> str:
    if unix_s is None:
        return "-"
    moment = datetime.fromtimestamp(round(unix_s), UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if with_day else "%H:%M:%S")


def _close(word: str, known: list[str]) -> str:
    hint: Any = nearest(word, known).partition(" allowed:")[0]
    return f"{hint if hint.startswith('did') else ''} {len(known)} satellites there".strip()
