"""Our one door to MQTT in both versions, on a real broker: sessions, answers, refusals."""

from collections.abc import Iterator

import pytest
from servers import MosquittoServer, mosquitto_server

from services.mqtt import Connection, RefusedPublishError, connect
from services.settings import Settings, load_settings

ACCESS = "topic readwrite open/#\ntopic read closed/#\n"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MosquittoServer]:
    access = tmp_path_factory.mktemp("broker") / "acl"
    access.write_text(ACCESS)
    with mosquitto_server(f"allow_anonymous true\nacl_file {access}\n") as running:
        yield running


def settings(broker: MosquittoServer, protocol: str) -> Settings:
    return load_settings(mqtt_url=broker.url, mqtt_protocol=protocol)


async def first_of(connection: Connection) -> bytes:
    async for message in connection.messages():
        message.acknowledge()
        return message.payload
    raise AssertionError("no message")


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_a_kept_session_gets_what_came_while_it_was_away(
    broker: MosquittoServer, protocol: str
) -> None:
    own, topic = settings(broker, protocol), f"open/{protocol}"
    async with connect(own, f"reader-{protocol}", None, persistent=True) as reader:
        await reader.subscribe(topic)
    async with connect(own, f"writer-{protocol}", None) as writer:
        assert await writer.publish(topic, b"while away")
    async with connect(own, f"reader-{protocol}", None, persistent=True) as reader:
        assert await first_of(reader) == b"while away"
    async with connect(own, f"reader-{protocol}", None):
        pass  # without a session to keep, the old one ends
    async with connect(own, f"writer-{protocol}", None) as writer:
        heard = await writer.publish(topic, b"nobody")
        assert heard is (protocol == "3.1.1"), "only version 5 can say that nobody was there"


async def test_version_5_says_that_nobody_hears_and_who_may_not_speak(
    broker: MosquittoServer,
) -> None:
    own = settings(broker, "5")
    async with connect(own, "writer", None) as writer, connect(own, "reader", None) as reader:
        assert not await writer.publish("open/lane", b"1")
        await reader.subscribe("open/lane")
        assert await writer.publish("open/lane", b"2")
        assert await first_of(reader) == b"2"
        with pytest.raises(RefusedPublishError, match="closed/lane refused with reason 0x87"):
            await writer.publish("closed/lane", b"3")
        assert await writer.publish("open/lane", b"4")
