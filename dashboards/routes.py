"""Who hears of an alert: contact points, the tree of policies and mute timings, as data.

One tree serves three writers: Grafana's API and its provisioning files (`routes_grafana`), and a
plain Alertmanager (`alertmanager_yaml`), with which the routing is tested. Our tree hangs under
the user's own root policy and takes only alerts that carry our label, so that nothing of theirs
changes.

A storm over a thousand satellites is one page: alerts of one rule and one cause are one group;
a satellite's alert whose cause has a rule for the whole fleet makes a ticket for its cause, never
a page; what happens in a drill fleet goes to the drill's scorer and to nobody else. Grafana before
13 has no inhibition, so none is used.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal

OWNER_LABEL: Final = "managed_by"
OWNER: Final = "orbital-twin"
"""Label of every alert of ours and the one matcher of our tree."""

UID_PREFIX: Final = "twin-"
"""Begins the uid, or where there is none the name, of everything we own in Grafana."""

DRILL_FLEETS: Final = "drill-.+"
"""Fleets whose alerts are a drill's: nobody is paged for them."""

Receiver = Literal["page", "ticket", "log", "drill"]
RECEIVERS: Final[dict[Receiver, str]] = {
    "page": "Twin: page",
    "ticket": "Twin: ticket",
    "log": "Twin: log",
    "drill": "Twin: drill",
}
"""What a route asks for -> name of the contact point."""

ALERTS_IN_A_MESSAGE: Final = 50
"""A webhook carries at most so many alerts and says how many it left out; a storm of 10,000
satellites would otherwise be a body of megabytes."""

DAY_S: Final = 86_400
HOUR_S: Final = 3600


@dataclass(frozen=True)
class ContactSpec:
    """One way to reach one receiver; several with one name are told together."""

    uid: str
    name: str
    kind: Literal["webhook", "email"]
    address: str
    disable_resolve: bool = False
    token: str = field(default="", repr=False)  # that its webhooks bear


@dataclass(frozen=True)
class MuteSpec:
    """A span of every week [UTC] in which a route is silent; days as Alertmanager spells them."""

    name: str
    weekdays: tuple[str, ...]
    start: str
    end: str


@dataclass(frozen=True)
class RouteSpec:
    """A policy: labels that must match, who is told, and when [s]; the first that matches has it.

    Matchers are (label, `=` | `!=` | `=~` | `!~`, value); expressions match the whole value.
    """

    receiver: Receiver
    matchers: tuple[tuple[str, str, str], ...]
    group_by: tuple[str, ...]
    group_wait_s: int
    group_interval_s: int
    repeat_interval_s: int
    mutes: tuple[str, ...] = ()
    routes: tuple["RouteSpec", ...] = ()

    def walk(self) -> Iterator["RouteSpec"]:
        """This policy and all below it."""
        yield self
        for route in self.routes:
            yield from route.walk()


PLANNED_WORK: Final = MuteSpec("twin-planned-work", ("wednesday",), "13:00", "14:00")
"""One hour a week in which warnings make no ticket: the hour for planned work on live fleets.
Which hour is an assumption; pages are never muted."""

ALWAYS: Final = MuteSpec("twin-always", ("sunday:saturday",), "00:00", "24:00")
"""Silences the route of drills where no address is theirs: a drill never pages anybody."""

MUTES: Final = (PLANNED_WORK, ALWAYS)

_GROUP: Final = ("grafana_folder", "alertname", "cause")


def contacts(
    addresses: dict[Receiver, str], emails: str = "", drill_token: str = ""
) -> tuple[ContactSpec, ...]:
    """A contact point for each receiver that has an address, and e-mail for pages if wanted.

    `addresses` are http(s) URLs; `emails` are addresses with `;` between, as Grafana takes them;
    drill_token: what webhooks to a drill's scorer bear.
    """
    tokens: dict[Receiver, str] = {"drill": drill_token}
    found = [
        ContactSpec(
            f"{UID_PREFIX}{key}",
            RECEIVERS[key],
            "webhook",
            addresses[key],
            token=tokens.get(key, ""),
        )
        for key in RECEIVERS
        if addresses.get(key)
    ]
    if emails:
        found.append(ContactSpec(f"{UID_PREFIX}page-email", RECEIVERS["page"], "email", emails))
    return tuple(found)


def tree(fleet_causes: Collection[str]) -> RouteSpec:
    """Our whole tree; `fleet_causes` are causes for which a rule over the fleet pages.

    Times follow what an operator can bear: a first page after 10 s, the growth of a group every
    minute, a reminder every four hours.
    """
    page = RouteSpec(
        receiver="page",
        matchers=(("severity", "=", "critical"),),
        group_by=_GROUP,
        group_wait_s=10,
        group_interval_s=60,
        repeat_interval_s=4 * HOUR_S,
    )
    ticket = replace(
        page,
        receiver="ticket",
        matchers=(("severity", "=", "warning"),),
        group_interval_s=300,
        repeat_interval_s=12 * HOUR_S,
        mutes=(PLANNED_WORK.name,),
    )
    drill = RouteSpec(
        receiver="drill",
        matchers=(("fleet", "=~", DRILL_FLEETS),),
        group_by=("alertname", "plane"),
        group_wait_s=1,
        group_interval_s=10,
        repeat_interval_s=4 * HOUR_S,
    )
    log = replace(
        ticket,
        receiver="log",
        matchers=(("severity", "=", "info"),),
        repeat_interval_s=DAY_S,
        mutes=(),
    )
    routes = [drill, page, ticket, log]
    if fleet_causes:
        names = "|".join(sorted(re.escape(cause) for cause in fleet_causes))
        under_cause = replace(
            ticket,
            matchers=(("scope", "=", "satellite"), ("cause", "=~", names)),
            group_by=("grafana_folder", "cause"),
            group_interval_s=HOUR_S,  # a storm grows for an hour: one ticket, not twelve
            mutes=(),
        )
        # After info, which nobody acts on, and before severities: the fleet's rule has the page.
        routes = [drill, log, under_cause, page, ticket]
    return replace(ticket, matchers=((OWNER_LABEL, "=", OWNER),), mutes=(), routes=tuple(routes))


def reachable(root: RouteSpec, present: Collection[str]) -> RouteSpec:
    """The tree for those receivers that have an address: what has none goes to its neighbour.

    Without an own address a ticket is a page's and a log entry a ticket's. Drills are logged
    where they have no address, and silenced where there is no log either. `present` are names
    of contact points. Raises ValueError where only drills, or nothing, have an address.
    """
    order: dict[Receiver, tuple[Receiver, ...]] = {
        "page": ("page", "ticket", "log"),
        "ticket": ("ticket", "page", "log"),
        "log": ("log", "ticket", "page"),
        "drill": ("drill", "log", "ticket", "page"),
    }
    names = {key for key, name in RECEIVERS.items() if name in present}
    if not names - {"drill"}:
        raise ValueError("no receiver for pages, tickets or the log has an address")

    def pick(route: RouteSpec) -> RouteSpec:
        found = next(key for key in order[route.receiver] if key in names)
        silent = route.receiver == "drill" and found in {"ticket", "page"}
        return replace(
            route,
            receiver=found,
            mutes=(ALWAYS.name,) if silent else route.mutes,
            routes=tuple(map(pick, route.routes)),
        )

    return pick(root)
