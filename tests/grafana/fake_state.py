"""What the fake Grafana remembers, and how two of its versions differ.

The contract is as read in Grafana's source, documentation and issues; nothing here was seen on a
running Grafana. What it proves is our half of the conversation.
"""

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Profile:
    """One version's habits."""

    version: str
    honours_disable_provenance: bool
    """9.4 reads X-Disable-Provenance for single rules only."""
    in_use_status: int
    """Deleting a contact point or mute timing that a policy names: 500 in 9.x, 409 later."""
    newest_schema: int
    """Dashboards are migrated to this schema when they are written."""
    knows_keep_firing: bool
    has_numeric_ids: bool
    empty_templates: Any
    """9.x answers null where there is no template."""


V9 = Profile("9.4.17", False, 500, 37, False, True, None)
V13 = Profile("13.2.3", True, 409, 42, True, False, [])


class RefusedError(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def go_duration(text: Any) -> Any:
    """As Go prints a Prometheus duration: 60s is 1m, 0s is 0s."""
    if not isinstance(text, str) or not re.fullmatch(r"(\d+[dhms])+", text):
        return text
    size = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
    rest = sum(int(n) * size[unit] for n, unit in re.findall(r"(\d+)([dhms])", text))
    parts = []
    for unit, one in size.items():
        number, rest = divmod(rest, one)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


@dataclass
class State:
    """One organisation. What begins with `user` in the tests' eyes was made by hand."""

    profile: Profile
    folders: dict[str, Json] = field(default_factory=dict)
    sources: dict[str, Json] = field(default_factory=dict)
    boards: dict[str, Json] = field(default_factory=dict)
    contacts: dict[str, Json] = field(default_factory=dict)
    templates: dict[str, Json] = field(default_factory=dict)
    mutes: dict[str, Json] = field(default_factory=dict)
    rules: dict[str, Json] = field(default_factory=dict)
    intervals: dict[tuple[str, str], int] = field(default_factory=dict)
    accounts: dict[int, Json] = field(default_factory=dict)
    annotations: list[Json] = field(default_factory=list)
    tree: Json = field(default_factory=dict)
    alerts: dict[str, list[Json]] = field(default_factory=dict)
    """Instances by the rule's uid: labels of the series, state, activeAt."""
    errors: dict[str, str] = field(default_factory=dict)
    """Why the query of a rule fails, by its uid."""
    evaluated: str = "2026-11-22T00:00:10Z"
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        default = {"uid": "", "name": "grafana-default-email", "type": "email",
                   "settings": {"addresses": "<example@email.com>"},
                   "disableResolveMessage": False}  # fmt: skip
        self.contacts["grafana-default"] = default | {"uid": "grafana-default"}
        self.tree = {
            "receiver": "grafana-default-email",
            "group_by": ["grafana_folder", "alertname"],
        }

    def provenance(self, headers: Any, *, of_rule: bool = False) -> str:
        """What a write is marked with."""
        asked = headers.get("X-Disable-Provenance") is not None
        return "" if asked and (of_rule or self.profile.honours_disable_provenance) else "api"

    # folders and data sources

    def put_folder(self, uid: str, title: str, *, is_new: bool) -> Json:
        for other, row in self.folders.items():
            if row["title"] == title and other != uid:
                raise RefusedError(409, "a folder with the same name already exists")
        if is_new and uid in self.folders:
            raise RefusedError(412, "a folder with the same uid already exists")
        if not is_new and uid not in self.folders:
            raise RefusedError(404, "folder not found")
        row = {"id": next(self.numbers), "uid": uid, "title": title, "version": 1}
        self.folders[uid] = row
        return row

    def put_source(self, uid: str, body: Json, *, is_new: bool) -> Json:
        old = self.sources.get(uid)
        if is_new and (old or any(row["name"] == body["name"] for row in self.sources.values())):
            raise RefusedError(409, "data source with the same name already exists")
        if not is_new and old is None:
            raise RefusedError(404, "Data source not found")
        if old is not None and old["readOnly"]:
            raise RefusedError(403, "Cannot update read-only data source")
        secrets = {**(old or {}).get("secureJsonData", {}), **body.get("secureJsonData", {})}
        row = {**copy.deepcopy(body), "id": next(self.numbers), "uid": uid, "orgId": 1,
               "secureJsonData": secrets, "readOnly": False, "withCredentials": False,
               "version": (old or {"version": 0})["version"] + 1, "user": "",
               "typeLogoUrl": ""}  # fmt: skip
        self.sources[uid] = row
        return self.source(uid)

    def source(self, uid: str) -> Json:
        """Secrets are only said to be there."""
        row = dict(self.sources[uid])
        row["secureJsonFields"] = dict.fromkeys(row.pop("secureJsonData"), True)
        return row

    # dashboards

    def put_board(self, body: Json) -> Json:
        board = copy.deepcopy(body["dashboard"])
        uid = board["uid"]
        old = self.boards.get(uid)
        if old and old["provisioned"]:
            raise RefusedError(400, "Cannot save provisioned dashboard")
        if old and not body.get("overwrite"):
            raise RefusedError(412, "A dashboard with the same uid already exists")
        folder = body.get("folderUid", "")
        if folder and folder not in self.folders:
            raise RefusedError(400, "folder not found")
        for other, row in self.boards.items():
            same_name = row["dashboard"]["title"] == board["title"]
            if other != uid and same_name and row["folderUid"] == folder:
                raise RefusedError(412, "A dashboard with the same name in the folder exists")
        version = (old["dashboard"]["version"] if old else 0) + 1
        board |= {"id": next(self.numbers), "version": version}
        if self.profile.newest_schema > board["schemaVersion"]:
            board["schemaVersion"] = self.profile.newest_schema
            for panel in board.get("panels", []):
                panel["pluginVersion"] = self.profile.version
                panel.pop("interval", None)
        self.boards[uid] = {
            "dashboard": board,
            "folderUid": folder,
            "provisioned": False,
            "message": body.get("message", ""),
        }
        return {"uid": uid, "id": board["id"], "status": "success", "version": version}

    # notifications

    def put_contact(self, uid: str, body: Json, provenance: str, *, is_new: bool) -> Json:
        if is_new and uid in self.contacts:
            raise RefusedError(400, "invalid object: UID is used, choose a different UID")
        if not is_new and uid not in self.contacts:
            raise RefusedError(404, "not found")
        if body["type"] == "webhook" and not body["settings"].get("url"):
            raise RefusedError(400, "invalid object: required field 'url' is not specified")
        self._may(self.contacts.get(uid, {}), provenance)
        self.contacts[uid] = {**copy.deepcopy(body), "uid": uid, "provenance": provenance}
        return self.contact(uid)

    def contact(self, uid: str) -> Json:
        """As it is read back: secrets masked."""
        row = copy.deepcopy(self.contacts[uid])
        for key in ("password", "authorization_credentials"):
            if key in row["settings"]:
                row["settings"][key] = "[REDACTED]"
        return row

    def drop_contact(self, uid: str) -> None:
        row = self.contacts.get(uid)
        if row is None:
            raise RefusedError(404, "not found")
        same = [one for one in self.contacts.values() if one["name"] == row["name"]]
        if len(same) == 1 and any(one.get("receiver") == row["name"] for one in self._walk()):
            raise RefusedError(self.profile.in_use_status, "contact point is currently used")
        del self.contacts[uid]

    def drop_mute(self, name: str) -> None:
        if any(name in one.get("mute_time_intervals", []) for one in self._walk()):
            raise RefusedError(self.profile.in_use_status, "mute timing is currently used")
        self.mutes.pop(name, None)

    def put_tree(self, body: Json, provenance: str) -> None:
        self._may(self.tree, provenance or "api")
        names = {row["name"] for row in self.contacts.values()}
        tree = copy.deepcopy(body)
        tree.pop("provenance", None)
        for route in self._walk(tree):
            if route.get("receiver") and route["receiver"] not in names:
                raise RefusedError(400, f"receiver '{route['receiver']}' does not exist")
            for mute in route.get("mute_time_intervals", []):
                if mute not in self.mutes:
                    raise RefusedError(400, f"mute time interval '{mute}' does not exist")
            for matcher in route.get("object_matchers", []):
                if not (isinstance(matcher, list) and len(matcher) == 3):
                    raise RefusedError(400, "cannot unmarshal object_matchers into [][3]string")
            for key in ("group_wait", "group_interval", "repeat_interval"):
                if key in route:
                    route[key] = go_duration(route[key])
        if not tree.get("receiver"):
            raise RefusedError(400, "root route must specify a default receiver")
        self.tree = tree | ({"provenance": provenance} if provenance else {})

    def _walk(self, route: Json | None = None) -> Iterator[Json]:
        route = self.tree if route is None else route
        yield route
        for one in route.get("routes", []):
            yield from self._walk(one)

    @staticmethod
    def _may(old: Json, provenance: str) -> None:
        stored = old.get("provenance", "")
        if stored and stored != provenance:
            raise RefusedError(409, f"cannot change provenance from '{stored}' to '{provenance}'")

    # rules

    def put_rule(self, rule: Json, provenance: str, *, is_new: bool | None = None) -> Json:
        """is_new None: as a group's replacement does, whichever it is."""
        old = self.rules.get(rule["uid"])
        if is_new and old:
            raise RefusedError(409, "conflicting alert rule found: rule uid must be unique")
        if is_new is False and not old:
            raise RefusedError(404, "rule not found")
        self.check_rule(rule, provenance)
        row = copy.deepcopy(rule) | {
            "id": old["id"] if old else next(self.numbers),
            "orgID": 1,
            "updated": "2026-11-22T00:00:00Z",
            "for": go_duration(rule["for"]),
            "provenance": provenance,
        }
        if self.profile.knows_keep_firing:
            row["keep_firing_for"] = go_duration(rule.get("keep_firing_for", "0s"))
            row |= {"notification_settings": None, "record": None}
        else:
            row.pop("keep_firing_for", None)
            row.pop("missing_series_evals_to_resolve", None)
        for query in row["data"]:
            query["model"] = {"intervalMs": 1000, "maxDataPoints": 43200} | query["model"]
        self.rules[row["uid"]] = row
        self.intervals.setdefault((row["folderUID"], row["ruleGroup"]), 60)
        return row

    def check_rule(self, rule: Json, provenance: str) -> None:
        """What every version refuses."""
        for key in ("uid", "title", "condition", "for", "noDataState", "execErrState"):
            if not rule.get(key):
                raise RefusedError(400, f"invalid alert rule: {key}")
        if rule["folderUID"] not in self.folders:
            raise RefusedError(404 if self.profile is V13 else 400, "folder does not exist")
        if rule["condition"] not in {query["refId"] for query in rule["data"]}:
            raise RefusedError(400, "invalid alert rule: condition")
        links = {"__dashboardUid__", "__panelId__"} & (rule.get("annotations") or {}).keys()
        if len(links) == 1:
            raise RefusedError(400, "both annotations __dashboardUid__ and __panelId__ are needed")
        for other in self.rules.values():
            same = (other["title"], other["folderUID"]) == (rule["title"], rule["folderUID"])
            if same and other["uid"] != rule["uid"]:
                raise RefusedError(409, "a rule with the same title exists in the folder")
        self._may(self.rules.get(rule["uid"], {}), provenance)

    def put_group(self, folder: str, group: str, body: Json, provenance: str) -> None:
        """All or nothing; what the group held and the body does not is deleted."""
        if body["interval"] <= 0 or body["interval"] % 10:
            raise RefusedError(400, "interval must be a multiple of 10 seconds")
        rules = [rule | {"folderUID": folder, "ruleGroup": group} for rule in body["rules"]]
        kept = {rule["uid"] for rule in rules}
        gone = [uid for uid, row in self.rules.items()
                if (row["folderUID"], row["ruleGroup"]) == (folder, group)
                and uid not in kept]  # fmt: skip
        for uid in gone:
            self._may(self.rules[uid], provenance)
        for rule in rules:
            self.check_rule(rule, provenance)
        for uid in gone:
            del self.rules[uid]
        for rule in rules:
            self.put_rule(rule, provenance)
        self.intervals[folder, group] = body["interval"]
