"""What a Grafana shall have, in one value, and the kinds that bring it there in order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dashboards.alerting_files import fleet_causes
from dashboards.build import dashboards
from dashboards.grafana_json import DATASOURCE_UID, dashboard_json
from dashboards.grafana_rules import FOLDER_TITLE, FOLDER_UID, RuleSpec
from dashboards.panels import DashboardSpec
from dashboards.routes import MUTES, ContactSpec, MuteSpec, RouteSpec, contacts, reachable, tree
from dashboards.rule_specs import recorded_specs, rule_specs
from dashboards.shapes import of_database
from services.grafana import Grafana
from services.grafana_settings import GrafanaSettings
from services.provision import Json, Kind
from services.provision_accounts import ServiceAccounts
from services.provision_alerting import (
    ContactPoints,
    MuteTimings,
    Policies,
    RuleGroups,
    Templates,
)
from services.provision_boards import BOARDS_FOLDER, Dashboards, DataSource, Folders
from services.provision_parts import PARTS, Part
from services.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """Everything that one Grafana shall have of ours."""

    data_source: Json
    data_source_secrets: dict[str, str]
    boards: tuple[Json, ...]
    rules: tuple[RuleSpec, ...]
    contacts: tuple[ContactSpec, ...]
    route: RouteSpec | None
    mutes: tuple[MuteSpec, ...]
    token_file: Path | None = None


def data_source(settings: Settings, url: str) -> tuple[Json, dict[str, str]]:
    """Body and secrets of the data source. Both names of the database, for 9 and for newer ones.

    POST, because a query with a long list of names does not fit into an address.
    """
    options: dict[str, Any] = {
        "dbName": settings.influx_database,
        "httpMode": "POST",
        "timeInterval": "1s",
    }
    body: Json = {
        "name": "Twin InfluxDB",
        "uid": DATASOURCE_UID,
        "type": "influxdb",
        "access": "proxy",
        "url": url,
        "database": settings.influx_database,
        "basicAuth": False,
        "jsonData": options,
    }
    secrets = {}
    if settings.influx_token is not None:
        options["httpHeaderName1"] = "Authorization"
        secrets["httpHeaderValue1"] = f"Token {settings.influx_token.get_secret_value()}"
    elif settings.influx_username and settings.influx_password is not None:
        body |= {"basicAuth": True, "basicAuthUser": settings.influx_username}
        secrets["basicAuthPassword"] = settings.influx_password.get_secret_value()
    return body, secrets


def wanted(settings: Settings, grafana: GrafanaSettings, token_file: Path | None = None) -> Wanted:
    """All of it, from the settings and from every dashboard and rule that there is."""
    specs = recorded_specs if grafana.alert_source == "watch" else rule_specs
    rules = specs(dashboards(), runbook_url=grafana.alert_runbook_url or "")
    token = grafana.drill_token
    told = contacts(
        grafana.addresses,
        grafana.alert_page_emails,
        "" if token is None else token.get_secret_value(),
    )
    has_receiver = any(one.uid != "twin-drill" for one in told)
    root = tree(fleet_causes(rules) if grafana.alert_satellites == "ticket" else ())
    url = grafana.grafana_store_url or settings.influx_url or "http://127.0.0.1:8086"
    body, secrets = data_source(settings, url)
    return Wanted(
        data_source=body,
        data_source_secrets=secrets,
        boards=tuple(_board(board, settings) for board in dashboards()),
        rules=rules,
        contacts=told if has_receiver else (),
        route=reachable(root, {one.name for one in told}) if has_receiver else None,
        mutes=MUTES,
        token_file=token_file,
    )


def _board(board: DashboardSpec, settings: Settings) -> Json:
    """A dashboard whose queries name the databases of these settings."""
    panels = [
        replace(
            panel,
            queries=tuple(
                replace(query, text=of_database(query.text, settings.influx_database_1m))
                for query in panel.queries
            ),
        )
        for panel in board.panels
    ]
    return dashboard_json(replace(board, panels=tuple(panels)))


def kinds(
    grafana: Grafana,
    settings: GrafanaSettings,
    every: Wanted,
    parts: Sequence[Part] = PARTS,
) -> list[Kind]:
    """In the order in which one needs the other; removed in the reverse one."""
    folders = []
    if "dashboards" in parts:
        folders.append(BOARDS_FOLDER)
    if "rules" in parts:
        folders.append((FOLDER_UID, FOLDER_TITLE))
    found: list[Kind] = [Folders(grafana, folders)]
    if "store" in parts:
        found.append(DataSource(grafana, every.data_source, every.data_source_secrets))
    if "routing" in parts:
        found += [
            Templates(grafana, None if every.contacts else {}),
            ContactPoints(grafana, every.contacts),
            MuteTimings(grafana, every.mutes if every.contacts else ()),
            Policies(grafana, every.route),
        ]
    if "rules" in parts:
        found.append(RuleGroups(grafana, every.rules))
    if "dashboards" in parts:
        found.append(Dashboards(grafana, every.boards))
    if "account" in parts:
        found.append(ServiceAccounts(grafana, settings, every.token_file))
    return found
