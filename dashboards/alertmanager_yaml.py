"""The same routes as an `alertmanager.yml`: for a plain Alertmanager, and to test the routing.

Grafana embeds a fork of Alertmanager; Debian's own is what can be run here. Version 0.22 and
newer understand `matchers` and time intervals.
"""

from typing import Any

import yaml

from dashboards.routes import (
    ALERTS_IN_A_MESSAGE,
    RECEIVERS,
    ContactSpec,
    MuteSpec,
    RouteSpec,
)
from dashboards.routes_grafana import duration

Json = dict[str, Any]
NOBODY = "nobody"


def _route(route: RouteSpec) -> Json:
    found: Json = {
        "receiver": RECEIVERS[route.receiver],
        "matchers": [f"{label}{sign}{_quoted(value)}" for label, sign, value in route.matchers],
        "group_by": list(route.group_by),
        "group_wait": duration(route.group_wait_s),
        "group_interval": duration(route.group_interval_s),
        "repeat_interval": duration(route.repeat_interval_s),
    }
    if route.mutes:
        found["mute_time_intervals"] = list(route.mutes)
    if route.routes:
        found["routes"] = [_route(one) for one in route.routes]
    return found


def _quoted(value: str) -> str:
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _receivers(contacts: tuple[ContactSpec, ...]) -> list[Json]:
    by_name: dict[str, Json] = {}
    for contact in contacts:
        row = by_name.setdefault(contact.name, {"name": contact.name})
        if contact.kind == "webhook":
            hook = {
                "url": contact.address,
                "max_alerts": ALERTS_IN_A_MESSAGE,
                "send_resolved": not contact.disable_resolve,
            }
            row.setdefault("webhook_configs", []).append(hook)
        else:
            mail = {"to": contact.address.replace(";", ", ")}
            row.setdefault("email_configs", []).append(mail)
    return [*by_name.values(), {"name": NOBODY}]


def alertmanager_config(
    root: RouteSpec, contacts: tuple[ContactSpec, ...], mutes: tuple[MuteSpec, ...]
) -> str:
    """The whole file: our tree under a root that tells nobody, as the user's own would be."""
    times = [
        {
            "name": mute.name,
            "time_intervals": [
                {
                    "times": [{"start_time": mute.start, "end_time": mute.end}],
                    "weekdays": list(mute.weekdays),
                }
            ],
        }
        for mute in mutes
    ]
    document = {
        "route": {"receiver": NOBODY, "routes": [_route(root)]},
        "receivers": _receivers(contacts),
        "mute_time_intervals": times,
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
