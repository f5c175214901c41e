"""dashboards/grafana/alerting/*.yaml: rules and routes as provisioning files, `apiVersion: 1`.

For who provisions by files instead of `twin provision`; mount the folder at
/etc/grafana/provisioning/alerting. Never both: what files own, the API may not change. A file
owns the whole tree of policies, and a rule that is taken out of a file stays in Grafana.
"""

from collections.abc import Sequence
from typing import Any, Final

import yaml

from dashboards.grafana_rules import RuleSpec, group_file, groups
from dashboards.routes import (
    MUTES,
    ContactSpec,
    RouteSpec,
    contacts,
    reachable,
    tree,
)
from dashboards.routes_grafana import (
    contact_points_file,
    mute_timings_file,
    policies_file,
    templates_file,
)

Json = dict[str, Any]
DIRECTORY: Final = "dashboards/grafana/alerting"
HEAD: Final = (
    "# Made by `make generate` from twin/alerts.py and dashboards/routes.py; edit those.\n"
)
SINK: Final = "http://notify:8085/"
"""Where the committed files send: the receiver of docker-compose.yml."""


def fleet_causes(rules: Sequence[RuleSpec]) -> set[str]:
    """Causes for which a rule over a fleet or a plane pages, in the stead of its satellites."""
    return {
        rule.labels["cause"]
        for rule in rules
        if rule.labels["scope"] in {"fleet", "plane"} and rule.labels["severity"] == "critical"
    }


def default_contacts() -> tuple[ContactSpec, ...]:
    """Every receiver at our own sink, by a path of its name."""
    return contacts(
        {
            "page": f"{SINK}page",
            "ticket": f"{SINK}ticket",
            "log": f"{SINK}log",
            "drill": f"{SINK}drill",
        }
    )


def alerting_files(
    rules: Sequence[RuleSpec],
    told: tuple[ContactSpec, ...] = (),
    route: RouteSpec | None = None,
) -> dict[str, str]:
    """File name -> text of every file of the folder; `route`: another tree than the usual one."""
    told = told or default_contacts()
    root = route or reachable(tree(fleet_causes(rules)), {one.name for one in told})
    documents: dict[str, Json] = {
        "contact-points.yaml": contact_points_file(told),
        "mute-timings.yaml": mute_timings_file(MUTES),
        "policies.yaml": policies_file(root),
        "templates.yaml": templates_file(),
    }
    for name, rows in groups(rules).items():
        documents[f"rules-{name}.yaml"] = group_file(name, rows)
    return {name: HEAD + _text(document) for name, document in documents.items()}


class _Dumper(yaml.SafeDumper):
    """Long texts in blocks, no anchors: for people who read the file."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Everything is written out where it stands."""
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def _text(document: Json) -> str:
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text
