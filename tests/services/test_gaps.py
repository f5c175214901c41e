"""Gaps: every deleted row is named, and made again so that the store is what it was."""

import hashlib
import itertools
import math
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from aiohttp.test_utils import TestServer
from servers import influxd_server

from services.checkpoint_files import (
    KEPT_COUNT,
    forget_checkpoints,
    keep_older,
    kept_checkpoints,
    write_whole,
)
from services.command_log import CommandLog
from services.embedded_database import Database
from services.embedded_store import StoreServer
from services.gaps import AnotherRunError, Audit, Question, Row, _chunks, audit
from services.resume import checkpoint_path
from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.settings import Settings, load_settings
from services.simulator import Simulator
from services.store import InfluxStore, open_store
from services.stored_rows import row_values
from twin.checkpoint import to_bytes

SCENARIO = "flown-2026"
EPOCH = "2026-10-01T00:00:00Z"
DURATION_S = 40.0
MEASUREMENTS = ("sat_state", "accel_state", "fleet_state", "plane_state")
OPENED = open_scenario(Settings(scenario=SCENARIO, epoch=EPOCH))


def issued(opened: OpenedScenario) -> list[bytes]:
    """Bodies of the run, as a live simulator publishes them."""
    simulator = Simulator(plan_simulation(opened, 1.0, None, 0.0))
    while simulator.tick * simulator.step_s < DURATION_S:
        simulator.turn()
    owed = simulator.outbox.take()
    return [batch.payload.partition(b"\n")[2] for batch in owed]


async def content(settings: Settings) -> str:
    """Hash of everything the store has of the fleet."""
    digest = hashlib.sha256()
    async with open_store(settings) as store:
        await store.prepare()
        for measurement in MEASUREMENTS:
            rows = await row_values(store, measurement, OPENED.build.fleet.name, 0, 2**62)
            for key in sorted(rows):
                digest.update(orjson.dumps([measurement, key, sorted(rows[key].items())]))
    return digest.hexdigest()


async def asked(
    settings: Settings, *, repairs: bool, opened: OpenedScenario = OPENED
) -> tuple[Audit, set[tuple[str, str, int]]]:
    holes: list[Row] = []
    question = Question(opened, DURATION_S, 0.0, repairs, holes.append, lambda _d, _t: None)
    found = await audit(settings, question)
    return found, {(row.measurement, repr(row.tags), row.time_ns) for row in holes}


async def holes_made_in_influx(settings: Settings) -> set[tuple[str, str, int]]:
    """1 % of the rows at random, deleted."""
    gone: set[tuple[str, str, int]] = set()
    chance = random.Random(7)
    async with InfluxStore(settings) as store:
        await store.prepare()
        for measurement in MEASUREMENTS:
            keys = sorted(await row_values(store, measurement, OPENED.build.fleet.name, 0, 2**62))
            for tags, time_ns in chance.sample(keys, max(1, len(keys) // 100)):
                where = " AND ".join(f"\"{name}\" = '{value}'" for name, value in tags)
                await store.query(f'DELETE FROM "{measurement}" WHERE {where} AND time = {time_ns}')
                gone.add((measurement, repr(tags), time_ns))
    return gone


@pytest.fixture
async def influx() -> AsyncIterator[Settings]:
    with influxd_server() as server:
        yield load_settings(influx_url=server.url, scenario=SCENARIO, epoch=EPOCH)


async def test_val_deleted_rows_of_real_influxdb_are_named_and_made_again(
    influx: Settings,
) -> None:
    async with open_store(influx) as store:
        await store.prepare()
        for body in issued(OPENED):
            await store.write(body)
    before = await content(influx)
    whole, none = await asked(influx, repairs=False)
    assert whole.rows_expected > 1000
    assert (whole.rows_missing, none) == (0, set())
    gone = await holes_made_in_influx(influx)
    assert await content(influx) != before
    listed, holes = await asked(influx, repairs=False)
    assert holes == gone
    assert listed.rows_repaired == 0
    repaired, holes = await asked(influx, repairs=True)
    assert holes == gone
    assert repaired.rows_repaired == len(gone)
    assert await content(influx) == before
    assert (await asked(influx, repairs=True))[0].rows_missing == 0


async def test_another_run_is_not_written_into_this_one(influx: Settings) -> None:
    async with open_store(influx) as store:
        await store.prepare()
        for body in issued(OPENED)[3:]:
            await store.write(body)
    before = await content(influx)
    changed = replace(OPENED, scenario=replace(OPENED.scenario, seed=OPENED.scenario.seed + 1))
    with pytest.raises(AnotherRunError, match="nothing was written"):
        await asked(influx, repairs=True, opened=changed)
    assert await content(influx) == before


async def test_the_embedded_store_is_repaired_too_and_keeps_no_doubles(tmp_path: Path) -> None:
    bodies, path = issued(OPENED), tmp_path / "t.duckdb"
    database = Database(path)
    for body in bodies:
        database.write(body)
    for body in random.Random(3).sample(bodies, len(bodies)):  # all of it again, in any order
        database.write(body)
    chance = random.Random(5)
    server = StoreServer(database, 24.0)
    async with TestServer(server.application()) as running:
        url = str(running.make_url("")).rstrip("/")
        settings = load_settings(store_url=url, scenario=SCENARIO, epoch=EPOCH)
        before = await content(settings)
        rows = database._connection.execute("SELECT count(*) FROM accel_state").fetchone()
        keys = "SELECT count(*) FROM (SELECT DISTINCT fleet, sat, accel, time FROM accel_state)"
        assert rows == database._connection.execute(keys).fetchone()
        gone = 0
        for measurement in MEASUREMENTS:
            found = database._connection.execute(f"SELECT rowid FROM {measurement}").fetchall()
            chosen = chance.sample(found, max(1, len(found) // 100))
            database._connection.executemany(
                f"DELETE FROM {measurement} WHERE rowid = ?", [list(row) for row in chosen]
            )
            gone += len(chosen)
        repaired, holes = await asked(settings, repairs=True)
        assert (len(holes), repaired.rows_repaired) == (gone, gone)
        assert await content(settings) == before
    server.close()


def test_what_lies_before_is_not_simulated_again_where_a_checkpoint_is_kept(
    tmp_path: Path,
) -> None:
    def rows(state_dir: Path) -> tuple[list[Row], int]:
        ticks: list[int] = []
        settings = load_settings(scenario=SCENARIO, epoch=EPOCH, state_dir=state_dir)
        question = Question(
            OPENED,
            DURATION_S,
            25.0,
            False,
            lambda _row: None,
            lambda tick, _all: ticks.append(tick),
        )
        return [row for chunk in _chunks(settings, question) for row in chunk], ticks[0]

    simulator = Simulator(plan_simulation(OPENED, math.inf, DURATION_S, 0.0))
    path = checkpoint_path(tmp_path, simulator.plan)
    order = {"command": "limit_compute", "id": "a", "value": 0.5, "at_s": 30.0}
    simulator.follow(CommandLog(path.with_suffix(".commands"), simulator.plan.run_id))
    simulator.obey("all", orjson.dumps(order))
    for tick in range(40):
        simulator.turn()
        if tick in {10, 20, 35}:
            taken = simulator.checkpoint()
            assert taken is not None
            write_whole(path, to_bytes(taken))
            if tick < 35:
                keep_older(path, taken.tick, 100.0, taken.run_id)
    (tmp_path / "plain").mkdir()
    log = CommandLog(
        checkpoint_path(tmp_path / "plain", simulator.plan).with_suffix(".commands"),
        simulator.plan.run_id,
    )
    for one in simulator.orders.obeyed:
        log.add(one)
    whole, first = rows(tmp_path / "plain")
    assert first == 1
    later, first = rows(tmp_path)
    assert first == 22  # after tick 20, not 35
    assert later == whole
    assert len(whole) > 100


def test_older_checkpoints_are_few_and_spread_over_the_run(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "f.ckpt"
    for tick in range(0, 60_000, 20):
        if tick % 1000 == 0:
            write_whole(path, b"%d" % tick)
        keep_older(path, tick, 1.0, "ab")
        assert len(kept_checkpoints(path)) <= KEPT_COUNT + 2
    ticks = sorted(int(one.stem.rpartition("-")[2]) for one in kept_checkpoints(path)[1:])
    assert len(ticks) >= KEPT_COUNT // 2
    gaps = [b - a for a, b in itertools.pairwise([0, *ticks, 60_000])]
    assert max(gaps) < 60_000 / 3
    assert path.read_bytes() == b"59000"
    keep_older(path, 40, 1.0, "cd")  # another run
    assert [one.name for one in kept_checkpoints(path)] == ["f.ckpt", "cd-40.ckpt"]
    forget_checkpoints(tmp_path)
    assert kept_checkpoints(path) == []
