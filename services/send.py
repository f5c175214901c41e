"""Send a command and wait for the simulator's answer.

Where a run has several processes, each at a tick of its own, a command that says nothing of time
gets an instant that lies ahead of all of them: it acts at the same tick everywhere, and the run has
the bytes of one process.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Mapping

import orjson

from services.local_run import with_local_login
from services.mqtt import Connection, Message, connect
from services.settings import Settings
from services.topics import Topics, parse
from twin.errors import ConfigurationError, DependencyUnavailableError, Problem

ANSWER_TIMEOUT_S = 10.0
LOOK_S = 1.0  # retained states are there at once
STATE_EVERY_S = 2.0  # how old a simulator's word may be (services/simulate.py)
MARGIN_S = 3.0  # wall seconds from the latest of them to the instant; our choice
PART = re.compile(r"simulate-[0-9]+of([0-9]+)")

States = Mapping[str, Mapping[str, object]]
"""Newest word of each service of a fleet, by its name."""


def common_instant_s(states: States) -> float | None:
    """An instant [s after the epoch] ahead of every process; None where one has the whole fleet.

    Raises ConfigurationError for processes that run as fast as they can: nothing is ahead of them.
    """
    parts = [state for name, state in states.items() if PART.fullmatch(name)]
    if not parts:
        return None
    rates = [state.get("rate") for state in parts]
    latest_s = max(float(str(state.get("elapsed_s", 0.0))) for state in parts)
    if any(rate is None for rate in rates):
        message = f"{len(parts)} processes run as fast as they can; say when to act"
        raise ConfigurationError([Problem("command", None, "--at", message)])
    fastest = max(float(str(rate)) for rate in rates)
    return float(round(latest_s + fastest * (STATE_EVERY_S + MARGIN_S)))


def is_whole(states: States) -> bool:
    """Whether every process of the run has spoken."""
    counts = [int(found[1]) for name in states if (found := PART.fullmatch(name))]
    return "simulate" in states or (bool(counts) and len(counts) >= max(counts))


async def _states(messages: AsyncIterator[Message], fleet: str) -> States:
    """What the fleet's simulators that are online say of themselves."""
    states: dict[str, dict[str, object]] = {}
    try:
        async with asyncio.timeout(LOOK_S):
            async for message in messages:
                message.acknowledge()
                address = parse(message.topic)
                if address is None or (address.fleet, address.lane) != (fleet, "service"):
                    continue
                state = orjson.loads(message.payload)
                if address.leaf.startswith("simulate") and state.get("state") == "online":
                    states[address.leaf] = state
                if is_whole(states):
                    break
    except TimeoutError:
        pass
    return states


async def send_command(
    settings: Settings, fleet: str, target: str, body: Mapping[str, object]
) -> str:
    """Send a command to a satellite, plane or `all`; returns the answering event as JSON.

    Raises DependencyUnavailableError if no simulator answers.
    """
    settings = with_local_login(settings, "drill")
    topics, command_id = Topics(fleet), uuid.uuid4().hex
    command = {"id": command_id} | {key: value for key, value in body.items() if value is not None}
    async with connect(settings, f"send-{command_id}", None) as connection:
        if "at_s" not in command:
            at_s = await _instant_s(connection, topics, fleet)
            command |= {} if at_s is None else {"at_s": at_s}
        await connection.subscribe(topics.event())
        await connection.publish(topics.command(target), orjson.dumps(command))
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                async for message in connection.messages():
                    message.acknowledge()
                    event = orjson.loads(message.payload)
                    if event.get("id") == command_id:
                        return message.payload.decode()
        except TimeoutError:
            pass
    raise DependencyUnavailableError(f"no simulator of fleet {fleet!r} answered")


async def _instant_s(connection: Connection, topics: Topics, fleet: str) -> float | None:
    await connection.subscribe(topics.service())
    return common_instant_s(await _states(connection.messages(), fleet))
