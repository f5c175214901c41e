"""Who may do what at the broker: the one table.

The broker's access file, NATS's permissions, the tests that judge every cell by what is
delivered, and the table of docs/security.md are all made from it. A broker that reads an access
file does not refuse a forbidden subscription, it withholds delivery; it answers a forbidden
publication over MQTT 3.1.1 as if it were well, and over MQTT 5 with "not authorized".
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.topics import SIMULATOR_SHARD, Topics

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""User names. A `+`, `#` or `/` in one would change what the filters mean (CVE-2017-7650)."""
DROPPED = "$SYS/broker/publish/messages/dropped"
UPTIME = "$SYS/broker/uptime"
ALL = Topics()


@dataclass(frozen=True)
class BrokerUser:
    """One credential: what it may write and what it may read, as MQTT filters."""

    name: str
    purpose: str
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"broker user {self.name!r}: a-z, 0-9 and -, at most 32 characters")


def simulator(
    name: str = "simulate", fleet: str = "+", shards: Sequence[str] = ("+",)
) -> BrokerUser:
    """A simulator's credential: the gateway of every satellite of its shards.

    name: its user, and the name under which the service announces itself; fleet, shards: what it
    is limited to; `+` is every one.
    """
    topics = Topics(fleet)
    writes = [topics.telemetry(shard) for shard in shards]
    writes += [topics.mirror(), topics.state(), topics.event(), topics.part()]
    writes.append(topics.service(name))
    reads = [topics.command(), topics.part(), *(topics.watermark(shard) for shard in shards)]
    return BrokerUser(name, "simulator, gateway of its shards", tuple(writes), tuple(reads))


def satellite(name: str, fleet: str) -> BrokerUser:
    """A satellite that is not simulated here: a shard of one, named like it and its user.

    It may speak for itself and for nobody else, and hears what is meant for it or for all.
    """
    if SIMULATOR_SHARD.fullmatch(name):
        raise ValueError(f"satellite {name!r}: named like a simulator's shard")
    topics = Topics(fleet)
    return BrokerUser(
        name,
        "a satellite of its own, or whoever speaks for it",
        writes=(topics.telemetry(name), topics.mirror(name), topics.state(name)),
        reads=(topics.command(name), topics.command("all"), topics.watermark(name)),
    )


def publisher(name: str, fleet: str) -> BrokerUser:
    """A publisher of line protocol that is not ours (Telegraf), for satellites of one fleet.

    Its rows may name any satellite of the fleet that no simulator's shard has: it is trusted with
    those. A satellite that is to speak for itself alone is a `satellite`.
    """
    lane = (Topics(fleet).lines(name),)
    return BrokerUser(name, "a publisher of line protocol that is not ours", writes=lane)


GUESTS = {"satellite": satellite, "publisher": publisher}
"""Users that `make secrets` makes on demand, by kind: each takes name and fleet."""


def ingester(instance: str = "1") -> BrokerUser:
    """An ingester's credential; the first is named `ingest`, others of its group `ingest-N`.

    Each has its own, because mosquitto takes a user's name for its session.
    """
    return BrokerUser(
        "ingest" if instance == "1" else f"ingest-{instance}",
        "ingester: telemetry to the store",
        writes=(ALL.watermark(), ALL.stored(), ALL.service(f"ingest-{instance}")),
        reads=(ALL.telemetry(), ALL.mirror(), ALL.lines(), ALL.watermark(), ALL.stored(), DROPPED),
    )


INGEST = ingester()
CONSOLE = BrokerUser(
    "console",
    "web console: sees everything, commands nothing",
    writes=(ALL.service("console"),),
    reads=(ALL.telemetry(), ALL.state(), ALL.event(), ALL.alerts(), ALL.service()),
)
WATCH = BrokerUser(
    "watch",
    "watcher (`twin watch`): judges telemetry by the alert rules",
    writes=(ALL.alerts(), ALL.event(), ALL.service("watch")),
    reads=(
        ALL.telemetry(),
        ALL.mirror(),
        ALL.lines(),
        ALL.state(),
        ALL.event(),
        ALL.alerts(),
        ALL.service(),
    ),
)
DRILL = BrokerUser(
    "drill",
    "drill operator (`twin send`): the only one who may command",
    writes=(ALL.command(),),
    reads=(ALL.event(), ALL.alerts(), ALL.service()),
)
HEALTH = BrokerUser("health", "the broker's own health check", reads=(UPTIME,))
UP = BrokerUser("up", "`twin up`: hears how its services are", reads=(ALL.service(),))

SERVER_USERS = (simulator(), INGEST, WATCH, CONSOLE, DRILL, HEALTH)
"""Users of the broker of docker-compose.yml."""
EMBEDDED_USERS = (simulator(), INGEST, WATCH, CONSOLE, DRILL, UP, publisher("publisher", "+"))
"""Users of the broker that `twin up` starts."""


def access_file(users: Iterable[BrokerUser]) -> str:
    """The table as mosquitto reads it (acl_file). What is not written here is not allowed."""
    blocks = ["# Made from services/broker_access.py; changes here are lost.\n"]
    for user in users:
        rows = [f"# {user.purpose}", f"user {user.name}"]
        rows += [f"topic write {name}" for name in user.writes]
        rows += [f"topic read {name}" for name in user.reads]
        blocks.append("\n".join(rows) + "\n")
    return "\n".join(blocks)


def access_table(users: Iterable[BrokerUser]) -> str:
    """The table as Markdown."""
    rows = ["| user | what it is | may publish to | may receive |", "|---|---|---|---|"]
    for user in users:
        writes, reads = ("<br>".join(f"`{f}`" for f in fs) for fs in (user.writes, user.reads))
        rows.append(f"| `{user.name}` | {user.purpose} | {writes or '-'} | {reads or '-'} |")
    return "\n".join(rows) + "\n"
