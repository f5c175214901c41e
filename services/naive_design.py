"""The usual design, kept as the reference of `twin bench pipeline`; nothing else uses it.

One JSON message per satellite and second by aiomqtt at QoS 1, a pydantic model on both sides,
one influxdb-client `Point` per message, written in batches of 5,000. It acknowledges on arrival,
so it loses what it holds when it is killed. The values are those of our own simulator.
"""

import asyncio
import sys

import aiohttp
import aiomqtt
import numpy as np
from influxdb_client.client.write.point import Point
from pydantic import BaseModel

from services.scenario_files import load_and_build
from twin.reports import plan_shards
from twin.sensors import bus_readings, in_wire_order, snapshot
from twin.state import FloatArray
from twin.step import initial_state
from twin.surroundings import surroundings

TOPIC = "naive/"
MEASUREMENT = "naive_state"  # its states are floats: the field types of sat_state are ours
BATCH_POINTS = 5000
FLUSH_S = 0.2
IN_FLIGHT = 100


class Sample(BaseModel):
    """One satellite at one instant."""

    fleet: str
    plane: str
    sat: str
    t_ns: int
    values: dict[str, float]


async def publish(port: int, scenario_file: str, ticks: int) -> None:
    """As many ticks as asked for, as fast as it goes."""
    scenario, build = load_and_build(scenario_file, 0.0)
    fleet, epoch = build.fleet, scenario.epoch_unix_s or 0.0
    names, table = _values_of(scenario_file)
    rows = table.tolist()
    tags = list(zip(fleet.planes, fleet.satellite_ids, strict=True))
    async with aiomqtt.Client("127.0.0.1", port, max_inflight_messages=IN_FLIGHT) as client:
        client.pending_calls_threshold = 10 * IN_FLIGHT
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def send(sat: str, payload: str) -> None:
            async with slots:
                await client.publish(TOPIC + sat, payload, qos=1, timeout=120)

        for tick in range(ticks):
            t_ns = round((epoch + tick) * 1e9)
            samples = (
                Sample(
                    fleet=fleet.name,
                    plane=plane,
                    sat=sat,
                    t_ns=t_ns,
                    values=dict(zip(names, row, strict=True)),
                )
                for (plane, sat), row in zip(tags, rows, strict=True)
            )
            async with asyncio.TaskGroup() as tasks:
                for sample in samples:
                    await slots.acquire()
                    slots.release()
                    tasks.create_task(send(sample.sat, sample.model_dump_json()))


def _values_of(scenario_file: str) -> tuple[list[str], FloatArray]:
    """What the satellites report, (n, 50): names and one tick's values, used at every tick."""
    scenario, build = load_and_build(scenario_file, 0.0)
    model = surroundings(
        build.places, scenario.epoch_unix_s or 0.0, scenario.environment.settings()
    )
    environment = model.at(0.0)
    state = initial_state(build.fleet, environment, 1)
    seen = snapshot(build.fleet, state, environment, 1, 1)
    bus = plan_shards(build.fleet, 1.0)[0].bus
    readings = bus_readings(np.arange(build.fleet.count), seen, 1)
    floats, states = in_wire_order(readings, bus.channels)
    layout = bus.layout
    table = np.column_stack([np.round(floats, 4), states.astype(np.float64)])
    return [*layout.floats, *layout.integers], table


async def ingest(port: int, store_port: int, database: str) -> None:
    """Store what comes until it is ended."""
    url = f"http://127.0.0.1:{store_port}/write?db={database}"
    lines: list[str] = []
    async with (
        aiohttp.ClientSession() as http,
        aiomqtt.Client("127.0.0.1", port, identifier="naive-ingest") as client,
    ):
        await client.subscribe(TOPIC + "#", qos=1)
        print("ready", flush=True)  # noqa: T201 - to the measurement that started this

        async def flush_for_ever() -> None:
            while True:
                await asyncio.sleep(FLUSH_S)
                await flush()

        async def flush() -> None:
            body = "\n".join(lines)
            lines.clear()
            if body:
                async with http.post(url, data=body) as answer:
                    answer.raise_for_status()

        flusher = asyncio.create_task(flush_for_ever())
        try:
            async for message in client.messages:
                sample = Sample.model_validate_json(message.payload)
                lines.append(_line_of(sample))
                if len(lines) >= BATCH_POINTS:
                    await flush()
        finally:
            flusher.cancel()


def _line_of(sample: Sample) -> str:
    """One `Point` of a sample. The library's class says nothing of its types."""
    tags = {"fleet": sample.fleet, "plane": sample.plane, "sat": sample.sat}
    row = {"measurement": MEASUREMENT, "tags": tags, "fields": sample.values, "time": sample.t_ns}
    line: str = Point.from_dict(row).to_line_protocol()
    return line


def main() -> None:
    """`publish PORT SCENARIO TICKS`, or `ingest PORT STORE_PORT DATABASE`."""
    if sys.argv[1] == "publish":
        asyncio.run(publish(int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
    else:
        asyncio.run(ingest(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))


if __name__ == "__main__":
    main()
