"""What we add to aiomqtt: no writer for a closed socket, and no service that hears nothing."""

import asyncio
import socket
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from services import mqtt
from services.mqtt_gaps import add_writers_to_open_sockets


def mended() -> aiomqtt.Client:
    client = aiomqtt.Client("127.0.0.1")
    add_writers_to_open_sockets(client)
    return client


async def registered(client: aiomqtt.Client, sock: socket.socket, *, closed: bool) -> list[str]:
    """What the loop reports once paho has asked for a writer of this socket."""
    reported: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: reported.append(str(context["exception"])))
    register: Any = client._client.on_socket_register_write
    register(client._client, None, sock)
    if closed:
        sock.close()
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    return reported


async def test_a_socket_that_is_closed_meanwhile_gets_no_writer() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        assert await registered(mended(), ours, closed=True) == []


async def test_aiomqtt_alone_still_does_it_so_that_the_mend_is_needed() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        (reported,) = await registered(aiomqtt.Client("127.0.0.1"), ours, closed=True)
    assert "Bad file descriptor" in reported


@pytest.mark.parametrize("fails", [False, True])
async def test_an_open_socket_is_written_to_and_a_failure_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    client, written = mended(), asyncio.Event()

    def loop_write() -> None:
        written.set()
        asyncio.get_running_loop().remove_writer(ours.fileno())
        if fails:
            raise BrokenPipeError

    monkeypatch.setattr(client._client, "loop_write", loop_write)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert await registered(client, ours, closed=False) == []
        await written.wait()
    assert client._disconnected.done() is fails
    if fails:
        with pytest.raises(BrokenPipeError):
            client._disconnected.result()


async def test_a_refused_subscription_is_asked_for_again_until_it_is_granted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client, asked = aiomqtt.Client("127.0.0.1"), []
    answers = [[1, 128, ReasonCode(PacketTypes.SUBACK, identifier=128), 128], [1, 135], [1]]

    async def subscribe(wanted: list[tuple[str, int]]) -> list[Any]:
        asked.append(wanted)
        return answers.pop(0)

    monkeypatch.setattr(client, "subscribe", subscribe)
    monkeypatch.setattr(mqtt, "RESUBSCRIBE_S", 0.0)
    monkeypatch.setattr(mqtt, "RESUBSCRIBE_LIMIT_S", 0.0)
    await mqtt.BrokerConnection(client).subscribe("a", "b", "$share/g/c", "$SYS/broker/dropped")
    assert [[name for name, _ in wanted] for wanted in asked] == [
        ["a", "b", "$share/g/c", "$SYS/broker/dropped"],
        ["b", "$share/g/c"],  # what a broker says of itself may be missing
        ["$share/g/c"],
    ]
    assert caplog.text.count("refuses subscriptions") == 1
