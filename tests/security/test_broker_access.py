"""Who can log in to the shipped broker and who can do what (S1, S2, S3 of the security bars).

A broker answers a forbidden SUBSCRIBE with "granted" and a forbidden PUBLISH (3.1.1) with a
plain PUBACK, so every cell of the table is judged by what is delivered. No cell waits for
silence: a fence message, sent after the probes through the same broker, closes the book.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import paho.mqtt.client as mqtt
import pytest
from broker import (
    JUDGE,
    WAIT_S,
    Broker,
    Client,
    session,
    shipped_broker,
)
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.broker_access import SERVER_USERS, BrokerUser, publisher, satellite, simulator

PROTOCOLS = {"3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}
F = "fleet/v1/flown-2026"
GUESTS = (
    satellite("sat-a", "flown-2026"),
    satellite("sat-b", "flown-2026"),
    publisher("telegraf", "flown-2026"),
    simulator("gateway", "flown-2026", ("s0007",)),
)
USERS = (*SERVER_USERS, simulator("simulate-0of2"), simulator("simulate-1of2"), *GUESTS)
NAMES = [user.name for user in USERS]
TOPICS = (
    f"{F}/tlm/s0000", f"{F}/tlm/s0007", f"{F}/tlm/sat-a", f"{F}/tlm/sat-b", f"{F}/tlm/s0/deeper",
    f"{F}/state/Sat1", f"{F}/state/sat-a", f"{F}/cmd/all", f"{F}/cmd/Sat1", f"{F}/cmd/sat-a",
    f"{F}/event", f"{F}/event/deeper", f"{F}/alerts", "fleet/v1/all/service/watch",
    f"{F}/wm/s0000", f"{F}/wm/s0007", f"{F}/wm/sat-b",
    f"{F}/service/intruder", f"{F}/service/simulate", f"{F}/service/simulate-0of2",
    "fleet/v1/all/service/ingest-1", "fleet/v1/all/service/console", f"{F}/service/gateway",
    "fleet/v1/other/tlm/s0007", "fleet/v1/other/cmd/all", "fleet/v2/flown-2026/tlm/s0000",
    f"{F}/sat/Sat1/tlm", f"{F}/sat/sat-a/tlm", f"{F}/lp/telegraf", f"{F}/lp/sat-a", f"{F}/part/0",
    "elsewhere", "$SYS/broker/version",
)  # fmt: skip
WILL_TOPICS = (
    f"{F}/tlm/sat-a",
    f"{F}/cmd/all",
    f"{F}/service/simulate",
    f"{F}/wm/s0000",
    f"{F}/state/sat-a",
)
assert set(WILL_TOPICS) <= set(TOPICS)
CELLS = {"live": 0, "retained": 0, "exact": 0, "wildcard": 0, "will": 0}
"""Cells of the matrix judged so far; the last test of the file asks for enough of them."""


def allowed(filters: tuple[str, ...]) -> set[str]:
    """Topics that the table's filters cover."""
    return {name for name in TOPICS if any(mqtt.topic_matches_sub(f, name) for f in filters)}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with shipped_broker(tmp_path_factory.mktemp("broker"), parts=2, guests=GUESTS) as running:
        assert set(running.users) == set(USERS)
        yield running


@contextmanager
def everybody(broker: Broker, protocol: int) -> Iterator[dict[str, Client]]:
    """Every user logged in."""
    with ExitStack() as stack:
        clients = {}
        for name in broker.passwords:
            client = broker.client(name, protocol)
            assert stack.enter_context(session(client, broker.server)) == 0
            clients[name] = client
        yield clients


def test_the_table_says_what_it_must() -> None:
    """What no change of the table may break, in words that are not the table's own."""
    may_write = {user.name: allowed(user.writes) for user in USERS}
    assert [name for name in NAMES if f"{F}/cmd/all" in may_write[name]] == ["drill"]
    assert [name for name in NAMES if f"{F}/wm/s0000" in may_write[name]] == ["ingest"]
    speakers = {name for name in NAMES if f"{F}/tlm/sat-a" in may_write[name]}
    assert speakers == {"simulate", "simulate-0of2", "simulate-1of2", "sat-a"}
    assert not [name for name in NAMES if "$SYS/broker/version" in may_write[name]]
    for own in ("simulate", "simulate-0of2"):
        assert [name for name in NAMES if f"{F}/service/{own}" in may_write[name]] == [own]
    assert may_write["console"] == {"fleet/v1/all/service/console"}
    assert may_write["watch"] == {f"{F}/alerts", f"{F}/event", "fleet/v1/all/service/watch"}
    assert [name for name in NAMES if f"{F}/alerts" in may_write[name]] == ["watch"]
    assert may_write["gateway"] == {
        f"{F}/{leaf}"
        for leaf in (
            "tlm/s0007",
            "state/Sat1",
            "state/sat-a",
            "event",
            "service/gateway",
            "sat/Sat1/tlm",
            "sat/sat-a/tlm",
            "part/0",
        )
    }
    assert may_write["telegraf"] == {f"{F}/lp/telegraf"}
    assert may_write["sat-a"] == {
        f"{F}/{leaf}" for leaf in ("tlm/sat-a", "sat/sat-a/tlm", "state/sat-a")
    }


@pytest.mark.parametrize("name", ["", "a+b", "a/b", "#", "Upper", "a" * 33, "-a", "sat a"])
def test_a_user_name_that_would_change_a_filter_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="broker user"):
        BrokerUser(name, "")


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
@pytest.mark.parametrize("kind", ["live", "retained"])
def test_each_user_publishes_exactly_what_the_table_says(
    broker: Broker, protocol: int, kind: str
) -> None:
    retain = kind == "retained"
    with everybody(broker, protocol) as clients:
        judge = clients[JUDGE]
        judge.subscribe("#", "$SYS/broker/version")
        for name in NAMES:
            messages = [(topic, f"{name} was here".encode()) for topic in TOPICS]
            clients[name].publish_all(messages, retain=retain)
        judge.publish("fence/judge", b"end")
        seen = judge.until("fence/judge", b"end")
    with session(late := broker.client(JUDGE, protocol), broker.server):
        late.subscribe("#")
        late.publish("fence/judge", b"end")
        kept = {topic for topic, body in late.until("fence/judge", b"end") if b"was here" in body}
        late.publish_all([(topic, b"") for topic in kept], retain=True)
    for user in USERS:
        mine = {topic for topic, body in seen if body == f"{user.name} was here".encode()}
        assert mine == allowed(user.writes), user.name
        CELLS[kind] += len(TOPICS)
    everything = set().union(*(allowed(user.writes) for user in USERS))
    assert kept == (everything if retain else set())


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
@pytest.mark.parametrize("kind", ["exact", "wildcard"])
def test_each_user_hears_exactly_what_the_table_says(
    broker: Broker, protocol: int, kind: str
) -> None:
    with everybody(broker, protocol) as clients:
        for name in NAMES:
            wide = ("#", "$SYS/#")
            clients[name].subscribe(*(wide if kind == "wildcard" else (*TOPICS, f"fence/{name}")))
        clients[JUDGE].publish_all([(topic, b"probe") for topic in TOPICS])
        clients[JUDGE].publish_all([(f"fence/{name}", b"end") for name in NAMES])
        for user in USERS:
            seen = clients[user.name].until(f"fence/{user.name}", b"end")
            heard = [topic for topic, body in seen if body == b"probe"]
            assert sorted(heard) == sorted(allowed(user.reads)), user.name
            system = {topic for topic, _ in seen if topic.startswith("$SYS")}
            assert system <= {name for name in user.reads if name.startswith("$SYS")}
            CELLS[kind] += len(TOPICS)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
def test_each_users_last_will_is_delivered_only_where_the_table_says(
    broker: Broker, protocol: int
) -> None:
    """A login of the same user ends its former connection: the former will is handled by then."""
    with session(judge := broker.client(JUDGE, protocol), broker.server):
        judge.subscribe(*WILL_TOPICS, "fence/judge")
        for user in USERS:
            for topic in WILL_TOPICS:
                leave_with_will(broker, user.name, protocol, topic)
            with session(broker.client(user.name, protocol), broker.server) as reason:
                assert reason == 0
            judge.publish("fence/judge", user.name.encode())
            seen = judge.until("fence/judge", user.name.encode())
            assert {topic for topic, _ in seen} == allowed(user.writes) & set(WILL_TOPICS)
            assert {body for _, body in seen} <= {user.name.encode()}
            CELLS["will"] += len(WILL_TOPICS)


def leave_with_will(broker: Broker, name: str, protocol: int, topic: str) -> None:
    """Connect and go in a way that leaves the will to the broker."""
    leaver = broker.client(name, protocol)
    leaver.mqtt.will_set(topic, name.encode(), 1)
    with session(leaver, broker.server) as reason:
        assert reason == 0
        if protocol == mqtt.MQTTv5:
            with_will = ReasonCode(14, identifier=4)  # DISCONNECT: with will message
            leaver.mqtt.disconnect(with_will, Properties(14))
        else:
            wire = leaver.mqtt.socket()
            assert wire is not None
            wire.shutdown(socket.SHUT_RDWR)
        leaver.lost.get(timeout=WAIT_S)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
def test_a_borrowed_client_identifier_does_not_take_a_session_over(
    broker: Broker, protocol: int
) -> None:
    victim = broker.client("ingest", protocol, "ingest")
    thieves = [broker.client(name, protocol, "ingest") for name in ("console", "sat-a", "drill")]
    judge = broker.client(JUDGE, protocol)
    with ExitStack() as stack:
        for client in (victim, judge):
            assert stack.enter_context(session(client, broker.server)) == 0
        victim.subscribe("fence/ingest")
        for thief in thieves:
            assert stack.enter_context(session(thief, broker.server)) == 0
        judge.publish("fence/ingest", b"still here")
        assert victim.until("fence/ingest", b"still here") == []
        assert victim.lost.empty()


def test_the_matrix_was_large_enough() -> None:
    """Last of this file. A run of a part of it has nothing to say here."""
    if 0 in CELLS.values():
        pytest.skip("only a part of the matrix was run")
    assert sum(CELLS.values()) >= 250
