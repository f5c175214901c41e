"""A fleet for looking at the console: real orbits, plausible curves for everything else.

    python tests/services/console_fixture.py --satellites 10281 --interval 10 --port 8801

Positions, shadow and proton flux are those of the twin's own environment on the catalogued
Starlinks; power, heat and work are smooth functions of them, made up for the eye alone.
"""

import argparse
import asyncio
import base64
import time
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web
from sgp4.api import Satrec

from services.console.app import create_app
from services.console.feed import LiveFleet
from twin.channels import ACCEL_CHANNELS, ACCEL_MEASUREMENT, BUS_CHANNELS, BUS_MEASUREMENT
from twin.elements import satellite_ids
from twin.environment import EnvironmentModel
from twin.frames import FieldLayout, FrameHeader, batch, encode_rows, row_template
from twin.state import Environment, FloatArray, IntArray

ELEMENTS = Path(__file__).parents[2] / "data" / "starlink-2026-04-30.tle"
EPOCH_UNIX_S = 1_777_550_400.0  # 2026-04-30 12:00 UTC
PRESETS = ("Hosted compute", "Edge GPU", "Train node")
BUS = FieldLayout.of(BUS_CHANNELS)
ACCEL = FieldLayout.of(ACCEL_CHANNELS, "nvidia")


def floats(text: str, kind: str) -> np.ndarray[Any, np.dtype[Any]]:
    """An array as a picture carries it."""
    return np.frombuffer(base64.b64decode(text), kind)


class FixtureFleet:
    """Some of the catalogued Starlinks, reporting in step or spread over an interval."""

    def __init__(self, count: int, interval_s: float = 1.0, epoch_unix_s: float = EPOCH_UNIX_S):
        lines = ELEMENTS.read_text().splitlines()
        names = [line.strip() for line in lines[::3]]
        chosen = np.linspace(0, len(names) - 1, count).astype(int)
        self.names = [names[i] for i in chosen]
        self.satrecs = [Satrec.twoline2rv(lines[3 * i + 1], lines[3 * i + 2]) for i in chosen]
        self.ids = list(satellite_ids(self.names, [s.satnum for s in self.satrecs]))
        self.planes = [_plane(satrec, count) for satrec in self.satrecs]
        self.interval_s, self.epoch_unix_s = interval_s, epoch_unix_s
        self.phase = np.arange(count) % max(1, int(interval_s))
        self.model = EnvironmentModel(self.satrecs, epoch_unix_s)
        self.character = np.random.default_rng(7).uniform(size=(count, 4))
        heads = [
            {"fleet": "demo", "plane": p, "sat": s}
            for p, s in zip(self.planes, self.ids, strict=True)
        ]
        self.heads = [row_template(BUS_MEASUREMENT, tags) for tags in heads]
        self.accel_heads = [
            row_template(ACCEL_MEASUREMENT, tags | {"accel": str(k)})
            for tags in heads
            for k in range(2)
        ]
        self.seq = 0

    def states(self) -> list[tuple[str, dict[str, object]]]:
        """Retained state messages."""
        return [
            (sat, {"name": name, "preset": PRESETS[i % 3], "accel_count": 2, "vendor": "nvidia"})
            for i, (sat, name) in enumerate(zip(self.ids, self.names, strict=True))
        ]

    def batch_at(self, elapsed_s: float) -> bytes:
        """Batch of the satellites whose turn it is."""
        turn = int(elapsed_s) % max(1, int(self.interval_s))
        rows = np.flatnonzero((self.phase == turn) & np.isfinite(self.model.at(0.0).altitude_m))
        floats, integers = values(self.model.at(elapsed_s), self.character, elapsed_s)
        t_ns = int((self.epoch_unix_s + elapsed_s) * 1e9)
        heads = [self.heads[i] for i in rows]
        body = encode_rows(heads, BUS, floats[rows], integers[rows], t_ns)
        if len(self.ids) <= 200:
            body += self._accelerators(rows, floats, elapsed_s, t_ns)
        self.seq += 1
        header = FrameHeader(1, "demo", "r1", "s0", self.seq, 1, t_ns, len(rows), 0, 0)
        return batch(header, body)

    def _accelerators(
        self, rows: IntArray, floats: FloatArray, elapsed_s: float, t_ns: int
    ) -> bytes:
        pairs = np.repeat(rows, 2)
        odd = np.arange(pairs.size) % 2
        table = np.zeros((pairs.size, len(ACCEL.floats)))
        table[:, 0] = floats[pairs, BUS.floats.index("tcs_die_max_t_c")] - 2.0 * odd
        table[:, 1] = table[:, 0] + 6.0
        table[:, 2] = floats[pairs, BUS.floats.index("eps_compute_w")] / 2.2
        table[:, 3] = 1980.0
        table[:, 4] = floats[pairs, BUS.floats.index("job_util_pct")]
        table[:, 5] = table[:, 2] * elapsed_s * 1000
        table[:, 6] = np.floor(elapsed_s / 60)
        codes = np.zeros((pairs.size, len(ACCEL.integers)), np.int64)
        heads = [self.accel_heads[2 * i + k] for i, k in zip(pairs, odd, strict=True)]
        return encode_rows(heads, ACCEL, table, codes, t_ns)

    async def series(
        self, sat: str, channels: list[str], start_ns: int, stop_ns: int, max_points: int
    ) -> dict[str, list[float | int | None]]:
        """History computed on demand; the fixture's stand-in for a store."""
        row = self.ids.index(sat)
        model = EnvironmentModel([self.satrecs[row]], self.epoch_unix_s)
        character = self.character[row : row + 1]
        step_ns = max(10**9, (stop_ns - start_ns) // max_points)
        start_ns = max(start_ns, int((self.epoch_unix_s - 86400) * 1e9))
        times_ns = list(range(start_ns, stop_ns, step_ns))
        table: list[list[float]] = [[] for _ in channels]
        for t_ns in times_ns:
            elapsed_s = t_ns / 1e9 - self.epoch_unix_s
            floats, integers = values(model.at(elapsed_s), character, elapsed_s)
            for cells, name in zip(table, channels, strict=True):
                real = name in BUS.floats
                column = BUS.floats.index(name) if real else BUS.integers.index(name)
                cells.append(float(floats[0, column] if real else integers[0, column]))
        return {"time_ns": list(times_ns), **dict(zip(channels, table, strict=True))}


def values(
    env: Environment, character: FloatArray, elapsed_s: float
) -> tuple[FloatArray, IntArray]:
    """All bus channels, floats and integers, in the order of the wire."""
    n = env.altitude_m.size
    size, phase, ageing, luck = character.T
    lit, hours = env.sunlit_frac, np.nan_to_num(env.local_solar_time_h)
    # local time stands in for the place in the orbit: charge falls in shadow, climbs after it
    shadow = np.clip(np.cos((hours - 1.5) * np.pi / 12), 0, 1)
    work = 0.75 + 0.2 * np.sin(elapsed_s / 240 + 6.28 * phase)
    compute_w = 700 * (0.6 + 0.8 * size) * work * np.where(lit > 0.5, 1, 0.45)
    die_c = 48 + 22 * work * (0.7 + 0.4 * size) - 9 * shadow + 18 * (luck > 0.985)
    soc_pct = np.clip(98 - 38 * shadow * (0.5 + 0.7 * ageing) - 35 * (luck < 0.008), 5, 100)
    cells = {
        "orb_lat_deg": np.degrees(env.latitude_rad),
        "orb_lon_deg": np.degrees(env.longitude_rad),
        "orb_alt_km": env.altitude_m / 1e3,
        "orb_speed_km_s": np.linalg.norm(env.velocity_teme_m_s, axis=1) / 1e3,
        "orb_sma_km": np.linalg.norm(env.position_teme_m, axis=1) / 1e3,
        "orb_beta_deg": np.degrees(env.beta_rad),
        "orb_sunlit_frac": lit,
        "orb_solar_w_m2": env.solar_flux_w_m2,
        "orb_local_time_h": env.local_solar_time_h,
        "eps_soc_pct": soc_pct,
        "eps_dod_pct": 100 - soc_pct,
        "eps_array_w": 2400 * (0.8 + 0.4 * size) * lit,
        "eps_compute_w": compute_w,
        "eps_load_w": compute_w + 310,
        "eps_batt_w": 2400 * (0.8 + 0.4 * size) * lit * 0.5 - compute_w * (lit < 0.5),
        "eps_bus_v": np.full(n, 28.1) - 0.2 * work,
        "tcs_die_max_t_c": die_c,
        "tcs_die_t_c": die_c - 2,
        "tcs_coldplate_t_c": die_c - 22,
        "tcs_loop_return_t_c": die_c - 31,
        "tcs_rad_t_k": 286 + 14 * work - 6 * shadow,
        "tcs_batt_t_c": 20 - 5 * shadow,
        "tcs_throttle_pct": np.where(die_c > 82, 80.0, 100.0),
        "rad_proton_flux_cm2_s": env.proton_flux_cm2_s,
        "rad_dose_rate_rad_day": env.proton_flux_cm2_s * 86400 / 7.9e6,
        "rad_tid_rad": np.full(n, 0.2) + elapsed_s * 2e-6,
        "accel_available_pct": np.where(luck > 0.99, 50.0, 100.0),
        "job_util_pct": 100 * work,
        "job_goodput_pct": 97 + 2 * work,
        "job_queue_s": 40 * phase * work,
        "job_ckpt_age_s": (elapsed_s + 600 * phase) % 600,
        "job_tokens_s": 9000 * work * size,
        "isl_up_pct": np.where(luck < 0.004, 75.0, 100.0),
        "gnd_backlog_gb": 12 * phase * (1 + np.sin(elapsed_s / 900)),
    }
    floats = np.zeros((n, len(BUS.floats)))
    for name, column in cells.items():
        floats[:, BUS.floats.index(name)] = column
    integers = np.zeros((n, len(BUS.integers)), np.int64)
    health = np.where((die_c > 87) | (soc_pct < 25), 2, 1 * ((die_c > 82) | (soc_pct < 40)))
    integers[:, BUS.integers.index("sat_health")] = health
    integers[:, BUS.integers.index("eps_mode")] = np.where(lit > 0.5, 0, 1)
    integers[:, BUS.integers.index("orb_in_saa")] = env.proton_flux_cm2_s > 100
    integers[:, BUS.integers.index("gnd_contact")] = phase > 0.5
    return floats, integers


def _plane(satrec: Satrec, count: int) -> str:
    shell = round(np.degrees(satrec.inclo))
    if count <= 100:
        return f"shell_{shell}"
    return f"i{shell}_p{int(np.degrees(satrec.nodeo) // 10):02d}"


def pipeline_status() -> dict[str, object]:
    """What the real service tells of the pipeline."""
    services = {"simulate": "online", "ingest": "online", "store": "online"}
    return {"services": services, "owed": 0, "dead_lettered": 0}


def build(count: int, interval_s: float) -> tuple[LiveFleet, FixtureFleet]:
    """A live picture that has heard every satellite twice."""
    fleet, live = FixtureFleet(count, interval_s), LiveFleet()
    for satellite_id, state in fleet.states():
        live.on_state(satellite_id, state)
    for elapsed_s in range(-int(2 * interval_s), 1):
        live.ingest(fleet.batch_at(elapsed_s))
    return live, fleet


async def serve(count: int, interval_s: float, port: int, rate: float, stop_after_s: float) -> None:
    """Serve the page and feed it until stopped."""
    live, fleet = build(count, interval_s)
    runner = web.AppRunner(create_app(live, fleet, pipeline_status))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"http://127.0.0.1:{port}/", flush=True)
    begin_s, elapsed_s = time.monotonic(), 0
    while True:
        elapsed_s += 1
        await asyncio.sleep(max(0.0, begin_s + elapsed_s / rate - time.monotonic()))
        if elapsed_s < stop_after_s:
            live.ingest(await asyncio.to_thread(fleet.batch_at, elapsed_s))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--satellites", type=int, default=25)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--port", type=int, default=8801)
    parser.add_argument("--stop-after", type=float, default=float("inf"))
    chosen = parser.parse_args()
    asyncio.run(
        serve(chosen.satellites, chosen.interval, chosen.port, chosen.rate, chosen.stop_after)
    )
