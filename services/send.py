"""Send a command and wait for the simulator's answer."""

import asyncio
import uuid
from collections.abc import Mapping

import orjson

from services.local_run import with_local_login
from services.mqtt import connect
from services.settings import Settings
from services.topics import Topics
from twin.errors import DependencyUnavailableError

ANSWER_TIMEOUT_S = 10.0


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
