"""Renders everything that is generated: `python scripts/generate.py`, `--check` for freshness."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dashboards import build
from dashboards.alerting_files import DIRECTORY, alerting_files
from dashboards.channel_docs import channels_page
from dashboards.dashboard_docs import dashboards_page
from dashboards.equations_docs import EquationError, equations_page
from dashboards.rule_specs import rule_specs
from dashboards.runbook_pages import alerts_page, runbooks
from services.asyncapi import asyncapi_page
from services.broker_access import SERVER_USERS, UP, access_table, publisher, satellite
from services.drill_docs import drills_page
from services.grafana_settings import GrafanaSettings
from services.nats_config import CLUSTER_USERS, cluster_conf
from services.scaling_page import scaling_page
from services.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


def _setting_rows(settings: type[Settings] | type[GrafanaSettings]) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        default = "" if field.default in {None, ""} else f"`{field.default}`"
        yield f"| `TWIN_{name.upper()}` | {default} | {field.description} |"


def settings_page() -> str:
    """docs/settings.md: every TWIN_ variable with its default."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    rows += _setting_rows(Settings)
    rows += ["", "`twin provision` and `make grafana-smoke` also read:", ""]
    rows += ["| variable | default | meaning |", "|---|---|---|"]
    rows += _setting_rows(GrafanaSettings)
    head = (
        "# Settings\n\nGenerated from `services/settings.py` by `make generate`. Every service "
        "reads the same variables.\nA secret is given as a file or in the environment; one that "
        "is shorter than 16 characters, a\nwell-known default, or in a file that others can read "
        "is refused with exit code 78.\n\n"
    )
    return head + "\n".join(rows) + "\n"


def security_page() -> str:
    """docs/security.md with the broker's access table as it is in the code."""
    begin = "<!-- made by make generate from services/broker_access.py -->\n"
    text = (ROOT / "docs/security.md").read_text("utf-8")
    before, _, rest = text.partition(begin)
    _, end, after = rest.partition("<!-- end -->")
    guests = (satellite("sat-a", "FLEET"), publisher("telegraf", "FLEET"))
    example = (*SERVER_USERS, UP, *guests)
    return before + begin + access_table(example) + end + after


def nats_config() -> str:
    """deploy/kubernetes/nats-config.yaml: the cluster's configuration in a ConfigMap."""
    conf = cluster_conf(
        {user.name: f"${user.name.upper()}_PASSWORD" for user in CLUSTER_USERS},
        client="0.0.0.0:4222",
        mqtt="0.0.0.0:8883",
        store="/data",
        routes=[f"nats://nats-{index}.nats-peers:6222" for index in range(3)],
        certificates="/etc/nats-tls",
    )
    text = "".join(f"    {line}\n" if line else "\n" for line in conf.splitlines())
    return (
        "# Made from services/nats_config.py by `make generate`.\napiVersion: v1\n"
        "kind: ConfigMap\nmetadata: {name: nats, namespace: orbital-twin}\n"
        f"data:\n  nats.conf: |\n{text}"
    )


PAGES = {
    "deploy/kubernetes/nats-config.yaml": nats_config,
    "docs/security.md": security_page,
    "docs/scaling.md": scaling_page,
    "docs/settings.md": settings_page,
    "docs/asyncapi.yaml": asyncapi_page,
    "docs/alerts.md": alerts_page,
    "docs/channels.md": channels_page,
    "docs/dashboards.md": dashboards_page,
    "docs/drills.md": drills_page,
    "docs/equations.md": equations_page,
}


RUNBOOKS = ROOT / "dashboards/runbooks"


def runbook_files(check: bool) -> int:
    """Write a page for each rule and remove those without one; 1 when `check` finds one stale."""
    wanted = runbooks()
    present = {path.name: path.read_text("utf-8") for path in RUNBOOKS.glob("*.md")}
    stale = sorted(
        name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name)
    )
    for name in stale:
        if check:
            print(f"dashboards/runbooks/{name}: stale; run make generate", file=sys.stderr)
        elif name not in wanted:
            (RUNBOOKS / name).unlink()
        else:
            RUNBOOKS.mkdir(parents=True, exist_ok=True)
            (RUNBOOKS / name).write_text(wanted[name], "utf-8")
    return int(check and bool(stale))


def main() -> int:
    """0 when everything is fresh or was written, 1 when `--check` finds a stale file."""
    check = "--check" in sys.argv[1:]
    stale = build.main(["--check"] if check else []) | runbook_files(check)
    alerting = alerting_files(rule_specs(build.dashboards()))
    pages = PAGES | {f"{DIRECTORY}/{name}": partial(str, text) for name, text in alerting.items()}
    for path in (ROOT / DIRECTORY).glob("*"):
        if path.name not in alerting:
            print(f"{path}: has no rules any more; remove it", file=sys.stderr)
            stale = 1
    for name, page in pages.items():
        try:
            path, text = ROOT / name, page()
        except EquationError as error:
            print(f"{name}:\n{error}", file=sys.stderr)
            return 1
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            print(f"{name}: stale; run make generate", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
