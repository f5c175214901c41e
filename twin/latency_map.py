"""Latency of a fleet over the Earth: percentiles by band of latitude and for named regions."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from twin.constants import SECONDS_PER_DAY
from twin.environment import EnvironmentModel
from twin.latency import REQUEST_TOKENS, Request, link_parts, queue_wait_s, request_latency
from twin.network import link_range_m
from twin.state import Fleet, FloatArray
from twin.workload import diurnal_frac, planned_frac

BAND_DEG: Final = 15.0  # rows of the report; our choice
GRID_LATITUDE_DEG: Final = 7.5  # two places to a band; our choice
GRID_LONGITUDE_DEG: Final = 15.0
INSTANTS: Final = 12  # over one day, so that the Earth turns under the orbits


class Region(NamedTuple):
    """A place where demand comes from; positions to a degree from public maps."""

    name: str
    latitude_deg: float
    longitude_deg: float


REGIONS: Final = (
    Region("Svalbard", 78.0, 15.0),
    Region("Northern Canada", 64.0, -114.0),
    Region("Western Europe", 49.0, 4.0),
    Region("North America East", 39.0, -77.0),
    Region("North America West", 37.0, -122.0),
    Region("East Asia", 35.0, 135.0),
    Region("South Asia", 22.0, 78.0),
    Region("West Africa", 8.0, 4.0),
    Region("East Africa", -1.0, 37.0),
    Region("Amazonia", -4.0, -62.0),
    Region("Southern Africa", -29.0, 25.0),
    Region("Australian outback", -24.0, 134.0),
    Region("South Pacific islands", -17.0, -150.0),
    Region("Antarctica", -78.0, 167.0),
)


@dataclass(frozen=True)
class LatencyRow:
    """Percentiles of one band or region over points and instants [s]."""

    name: str
    requests_count: int
    direct_frac: float  # a satellite of the fleet in view of the user
    reached_frac: float  # answered at all
    one_way_p50_s: float
    one_way_p95_s: float
    total_p50_s: float
    total_p95_s: float
    wait_p50_s: float


@dataclass(frozen=True)
class LatencyMap:
    """What `twin latency` prints."""

    bands: tuple[LatencyRow, ...]  # north to south
    regions: tuple[LatencyRow, ...]
    link_parts_count: int  # most that the fleet fell into at any instant


def latency_map(fleet: Fleet, model: EnvironmentModel, instants: int = INSTANTS) -> LatencyMap:
    """Latency over a day, equal instants apart, at the planned load of the fleet.

    Every point of a grid of 7.5 by 15 degrees asks once per instant. Each satellite's wait is that
    of its planned utilisation at the local time below it.
    """
    grid = np.arange(-90.0 + GRID_LATITUDE_DEG / 2.0, 90.0, GRID_LATITUDE_DEG)
    around = np.arange(-180.0, 180.0, GRID_LONGITUDE_DEG)
    latitude, longitude = (axis.ravel() for axis in np.meshgrid(grid, around, indexing="ij"))
    points = np.array([(one.latitude_deg, one.longitude_deg) for one in REGIONS])
    all_lat = np.deg2rad(np.concatenate([latitude, points[:, 0]]))
    all_lon = np.deg2rad(np.concatenate([longitude, points[:, 1]]))
    requests, parts = [], 1
    for turn in range(instants):
        asked, count = _at(fleet, model, turn * SECONDS_PER_DAY / instants, all_lat, all_lon)
        requests.append(asked)
        parts = max(parts, count)
    whole = Request(*(np.stack(one, axis=1) for one in zip(*requests, strict=True)))
    lows = np.arange(90.0 - BAND_DEG, -91.0, -BAND_DEG).tolist()
    bands = tuple(
        _row(
            f"{low:+.0f} to {low + BAND_DEG:+.0f}",
            np.flatnonzero((latitude >= low) & (latitude < low + BAND_DEG)),
            whole,
        )
        for low in lows
    )
    first = latitude.size
    regions = tuple(
        _row(one.name, np.array([first + place]), whole) for place, one in enumerate(REGIONS)
    )
    return LatencyMap(bands, regions, parts)


def _at(
    fleet: Fleet,
    model: EnvironmentModel,
    elapsed_s: float,
    latitude_rad: FloatArray,
    longitude_rad: FloatArray,
) -> tuple[Request, int]:
    params, environment = fleet.params, model.at(elapsed_s)
    inference_frac = 1.0 - params.training_frac
    load = params.training_frac + inference_frac * diurnal_frac(environment.local_solar_time_h)
    service_s = REQUEST_TOKENS / np.maximum(params.tokens_per_accel_s, 1e-9)
    range_m = link_range_m(environment.position_teme_m, fleet.neighbour_index, params)
    flies = np.isfinite(environment.position_teme_m[:, 0])
    asked = request_latency(
        latitude_rad=latitude_rad,
        longitude_rad=longitude_rad,
        environment=environment,
        fleet=fleet,
        link_range_m=range_m,
        able=(params.accel_count > 0) & flies,
        wait_s=queue_wait_s(planned_frac(params) * load, params.accel_count, service_s),
    )
    linked = flies & (fleet.neighbour_index >= 0).any(axis=1)
    label = link_parts(range_m, fleet.neighbour_index)[linked]
    return asked, int(np.unique(label).size)


def _row(
    name: str, points: np.ndarray[tuple[int], np.dtype[np.int64]], whole: Request
) -> LatencyRow:
    one_way_s, total_s = whole.one_way_s[points], whole.total_s[points]
    reached = np.isfinite(one_way_s)
    direct = reached & (whole.fibre_s[points] == 0.0)

    def percentile(values_s: FloatArray, percent: float) -> float:
        kept = values_s[reached]
        return float(np.percentile(kept, percent)) if kept.size else float("nan")

    return LatencyRow(
        name=name,
        requests_count=reached.size,
        direct_frac=float(direct.mean()),
        reached_frac=float(reached.mean()),
        one_way_p50_s=percentile(one_way_s, 50.0),
        one_way_p95_s=percentile(one_way_s, 95.0),
        total_p50_s=percentile(total_s, 50.0),
        total_p95_s=percentile(total_s, 95.0),
        wait_p50_s=percentile(whole.wait_s[points], 50.0),
    )
