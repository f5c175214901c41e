"""Commands that act at an instant: the same tick in every process, and after a restart."""

import asyncio
from pathlib import Path

import numpy as np
import orjson
import pytest
from servers import mosquitto_server

from services.command_log import CommandLog
from services.mqtt import connect
from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.send import common_instant_s, is_whole, send_command
from services.settings import Settings, load_settings
from services.simulator import Simulator
from services.topics import Topics
from twin.checkpoint import from_bytes, to_bytes
from twin.errors import ConfigurationError
from twin.frames import ROLLUP_SHARD, open_batch

SETTINGS = Settings(scenario="suncatcher-81", epoch="2026-10-01T00:00:00Z")
OPENED = open_scenario(SETTINGS)
INJECT = {"command": "inject", "id": "a", "fault": "P1", "severity": 0.5, "at_s": 2.0}
LATER = (
    {"command": "limit_compute", "id": "b", "value": 0.5, "at_s": 5.0},
    {"command": "heal", "id": "c", "fault": "P1", "at_s": 8.0},
    {"command": "heal", "id": "d", "fault": "T1", "at_s": 9.0},  # none is on: not carried out
    {"command": "safe_mode", "id": "e", "value": True, "at_s": 6.5},
)
TICKS = 12


def started(opened: OpenedScenario = OPENED, part: tuple[int, int] = (0, 1)) -> Simulator:
    return Simulator(plan_simulation(opened, np.inf, None, None, part))


def ran(one: Simulator, heard_at: int, until: int = TICKS) -> Simulator:
    """Orders are heard at a tick of this process's own."""
    while one.tick < until:
        if one.tick == heard_at:
            for order in (INJECT, *LATER):
                event = orjson.loads(one.obey("all", orjson.dumps(order)))
                kind = "command_done" if order is INJECT else "command_planned"
                assert (event["kind"], event["id"]) == (kind, order["id"]), event
        one.turn()
    return one


def bodies(one: Simulator) -> dict[tuple[str, int], bytes]:
    return {
        (o.shard, o.seq): open_batch(o.payload)[1] for o in one.outbox if o.shard != ROLLUP_SHARD
    }


def test_processes_that_hear_a_command_at_different_ticks_act_at_the_same() -> None:
    whole = bodies(ran(started(), 0))
    told = bodies(ran(started(part=(0, 2)), 1)) | bodies(ran(started(part=(1, 2)), 2))
    assert told == whole
    assert whole != bodies(ran(started(), heard_at=TICKS + 1))


def test_a_planned_command_survives_a_restart_also_one_that_has_become_impossible(
    tmp_path: Path,
) -> None:
    log = CommandLog(tmp_path / "a.commands", started().plan.run_id)
    first = started()
    first.follow(log)
    expected = bodies(ran(first, 0))
    assert [one.tick for one in first.orders.obeyed] == [0, 5, 7, 8, 9]
    for cut in (3, 8, 10):
        one = started()
        one.follow(CommandLog(tmp_path / f"{cut}.commands", one.plan.run_id))
        data = to_bytes(ran(one, 0, cut).checkpoint() or pytest.fail("no checkpoint"))
        before = bodies(one).keys()
        again = started()
        again.resume(from_bytes(data))
        again.follow(CommandLog(tmp_path / f"{cut}.commands", one.plan.run_id))
        found = bodies(ran(again, TICKS + 1))
        assert found == {key: body for key, body in expected.items() if key not in before}


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"command": "heal", "fault": "P1", "at_s": 2.0}, "at_s: 2 is in the past; allowed 3 to"),
        ({"command": "heal", "fault": "nothing", "at_s": 9.0}, "nothing"),
        ({"command": "limit_compute", "value": 0.5, "at_s": -1.0}, "at_s"),
    ],
)
def test_a_command_for_an_impossible_instant_or_fault_is_refused_at_once(
    order: dict[str, object], reason: str
) -> None:
    one = ran(started(), heard_at=TICKS + 1, until=3)
    event = orjson.loads(one.obey("all", orjson.dumps(order | {"id": "x"})))
    assert event["kind"] == "command_refused"
    assert reason in event["reason"]
    assert not one.orders.to_obey


def test_an_instant_is_ahead_of_every_process() -> None:
    slow, fast = {"elapsed_s": 100.0, "rate": 2.0}, {"elapsed_s": 104.0, "rate": 2.0}
    assert common_instant_s({"simulate": slow}) is None
    assert common_instant_s({}) is None
    assert common_instant_s({"simulate-0of2": slow, "simulate-1of2": fast}) == 114.0
    with pytest.raises(ConfigurationError, match="--at: 2 processes run as fast"):
        common_instant_s({"simulate-0of2": slow, "simulate-1of2": fast | {"rate": None}})
    assert is_whole({"simulate": slow})
    assert is_whole({"simulate-0of2": slow, "simulate-1of2": fast})
    assert not is_whole({"simulate-0of2": slow})
    assert not is_whole({})


@pytest.mark.parametrize(("parts", "at_s"), [(2, 109.0), (1, None)])
async def test_the_sender_stamps_a_command_for_a_run_in_parts(
    parts: int, at_s: float | None
) -> None:
    topics = Topics("f")
    names = [f"simulate-{k}of2" for k in range(2)] if parts == 2 else ["simulate"]
    with mosquitto_server() as broker:
        settings = load_settings(mqtt_url=broker.url)
        async with connect(settings, "simulators", None) as link:
            await link.subscribe(topics.command())
            for place, name in enumerate(names):
                state = {"state": "online", "elapsed_s": 100.0 + 4.0 * place, "rate": 1.0}
                await link.publish(topics.service(name), orjson.dumps(state), retain=True)
            heard: list[dict[str, object]] = []

            async def answer() -> None:
                async for message in link.messages():
                    message.acknowledge()
                    heard.append(orjson.loads(message.payload))
                    event = {"kind": "command_done", "id": heard[-1]["id"]}
                    await link.publish(topics.event(), orjson.dumps(event))

            task = asyncio.create_task(answer())
            body = {"command": "heal", "fault": "P1", "at_s": None}
            told = orjson.loads(await send_command(settings, "f", "all", body))
            task.cancel()
    assert told["kind"] == "command_done"
    assert heard[0].get("at_s") == at_s
