"""`twin provision export`: everything as files, for who provisions by files or by another tool."""

import json
from pathlib import Path
from typing import Any

import yaml

from dashboards.alerting_files import alerting_files
from dashboards.alertmanager_yaml import alertmanager_config
from dashboards.grafana_rules import group_json, groups
from dashboards.routes_grafana import files_text
from services.provision_wanted import Wanted

PROVIDER: dict[str, Any] = {
    "apiVersion": 1,
    "providers": [
        {
            "name": "Orbital Twin",
            "orgId": 1,
            "folder": "Orbital Twin",
            "folderUid": "twin-dashboards",
            "type": "file",
            "allowUiUpdates": False,
            "options": {"path": "/var/lib/twin-dashboards"},
        }
    ],
}


def exported(every: Wanted) -> dict[str, str]:
    """Path -> text; no secret is in any of them."""
    files = {
        f"dashboards/{board['uid']}.json": _json(board | {"id": None}) for board in every.boards
    }
    files |= {
        f"rule-groups/{name}.json": _json(group_json(name, rows))
        for name, rows in groups(every.rules).items()
    }
    source = files_text({**every.data_source, "orgId": 1, "editable": False})
    header = {"httpHeaderValue1": "Token $__file{/run/twin-tokens/read}"}
    if "httpHeaderName1" in source["jsonData"]:
        source["secureJsonData"] = header
    alerting = alerting_files(every.rules, every.contacts, every.route)
    files |= {f"provisioning/alerting/{name}": text for name, text in alerting.items()}
    files["provisioning/datasources/twin.yaml"] = _yaml({"apiVersion": 1, "datasources": [source]})
    files["provisioning/dashboards/twin.yaml"] = _yaml(PROVIDER)
    if every.route is not None:
        text = alertmanager_config(every.route, every.contacts, every.mutes)
        files["alertmanager.yml"] = text
    return files


def export(every: Wanted, directory: Path) -> list[str]:
    """Writes the files below `directory`, each whole or not at all; their paths, sorted."""
    files = exported(every)
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_text(text, "utf-8")
        part.replace(path)
    return sorted(files)


def _json(body: Any) -> str:
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def _yaml(body: Any) -> str:
    text: str = yaml.safe_dump(body, sort_keys=False, allow_unicode=True)
    return text
