"""`twin provision doctor`: is this Grafana fit for what we bring, and is our log-in?"""

from collections.abc import Iterator
from typing import Any, Final

from dashboards.grafana_json import DATASOURCE_UID
from services.findings import Finding
from services.grafana import Grafana, GrafanaBusyError, GrafanaRefusedError
from twin.errors import ConfigurationError, TwinError

OLDEST: Final = (9, 3)
NEWEST: Final = (13, 3)
"""Written for 9.3 up to, but not including, this one."""
LOST_PLUGIN: Final = ((13, 2, 0), (13, 2, 1))
"""Lost data sources that come with Grafana after an upgrade (grafana/grafana#130921)."""


def examine(grafana: Grafana) -> Iterator[Finding]:
    """One finding after the other; the first that no later one can do without ends it."""
    try:
        version = grafana.ready()
    except GrafanaBusyError as error:
        yield Finding("address", False, str(error), "start Grafana, or set TWIN_GRAFANA_URL")
        return
    yield _version(version)
    login = _login(grafana)
    yield login
    if not login.is_well:
        return
    yield _plugin(grafana)
    yield _data_source(grafana)
    yield _policies(grafana)


def _version(version: str) -> Finding:
    words = version.split("-", maxsplit=1)[0].split(".")
    numbers = tuple(int(word) for word in words if word.isdigit())
    fits = OLDEST <= numbers[:2] < NEWEST
    fix = "written for 9.3 to 13.2; look at `twin provision diff` after `apply`"
    if numbers[:3] in LOST_PLUGIN:
        fits, fix = False, "13.2.0 and 13.2.1 lose the InfluxDB plugin; use 13.2.3 or 12.4"
    return Finding("version", fits, version, fix)


def _login(grafana: Grafana) -> Finding:
    fix = "TWIN_GRAFANA_TOKEN_FILE of a service account with role Admin, or user and password"
    try:
        grafana.get("/org")
    except TwinError as error:
        return Finding("log-in", False, str(error), fix)
    lacks = []
    for path in ("/v1/provisioning/policies", "/datasources", "/serviceaccounts/search?perpage=1"):
        try:
            grafana.get(path)
        except (ConfigurationError, GrafanaRefusedError):
            lacks.append(path.split("?")[0])
    detail = f"may not read /api{', /api'.join(lacks)}" if lacks else "may read what is compared"
    return Finding("log-in", not lacks, detail, fix)


def _plugin(grafana: Grafana) -> Finding:
    found: Any = grafana.find("/plugins/influxdb/settings")
    if found is None:
        fix = "13.2 and newer keep it apart from Grafana: check /var/lib/grafana/plugins"
        return Finding("plugin influxdb", False, "not installed", fix)
    return Finding("plugin influxdb", True, "there")


def _data_source(grafana: Grafana) -> Finding:
    if grafana.find(f"/datasources/uid/{DATASOURCE_UID}") is None:
        return Finding("data source", False, "not there yet", "twin provision apply")
    try:
        health = grafana.get(f"/datasources/uid/{DATASOURCE_UID}/health")
    except TwinError as error:
        return Finding("data source", False, str(error), "is the store up, is its token right?")
    is_well = isinstance(health, dict) and health.get("status") == "OK"
    return Finding("data source", is_well, str(health.get("message", health)), "is the store up?")


def _policies(grafana: Grafana) -> Finding:
    owner = grafana.get("/v1/provisioning/policies").get("provenance") or "the user"
    fix = "files own the tree of policies: put dashboards/grafana/alerting/policies.yaml there"
    return Finding("policies", "file" not in owner, f"kept by {owner}", fix)
