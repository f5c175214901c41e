"""Contact points, templates, mute timings, policies and rules, as kinds of `services.provision`.

All but the policies are written with the API's provenance, which locks them in Grafana's pages:
what is edited there would be undone. The tree of policies is the user's; ours hangs in it as one
branch, so the tree stays editable (9.4 locks it all the same, it ignores the header).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from dashboards.grafana_rules import FOLDER_UID, RuleSpec, group_json, groups
from dashboards.routes import OWNER, OWNER_LABEL, UID_PREFIX, ContactSpec, MuteSpec, RouteSpec
from dashboards.routes_grafana import (
    CREDENTIALS,
    TEMPLATE,
    TEMPLATE_NAME,
    contact_point,
    mute_timing,
    policy,
)
from services.grafana import EDITABLE, Grafana
from services.provision import Change, Found, Json, Owner, RemovableKind

API: Final = "/v1/provisioning"


def _owner(row: Json) -> Owner:
    """By provenance: what was made in Grafana's pages has none."""
    provenance = row.get("provenance") or ""
    if "file" in provenance:
        return "files"
    return "twin" if provenance == "api" else "others"


class ContactPoints(RemovableKind):
    """Contact points by uid; an integration of somebody else under our name blocks ours."""

    name = "contact point"

    def __init__(self, grafana: Grafana, contacts: Sequence[ContactSpec]) -> None:
        super().__init__(grafana)
        self.contacts = {one.uid: contact_point(one) for one in contacts}

    def wanted(self) -> Mapping[str, Any]:
        """Bodies by uid; numbers among the settings as text, as some versions return them."""
        return {uid: _comparable(body) for uid, body in self.contacts.items()}

    def found(self) -> Mapping[str, Found]:
        """Those with a uid of ours, and strangers under a name of ours."""
        rows = self.grafana.get(f"{API}/contact-points")
        found = {}
        for row in rows:
            if (row.get("uid") or "").startswith(UID_PREFIX):
                owner: Owner = "files" if _owner(row) == "files" else "twin"
                found[row["uid"]] = Found(_comparable(row), owner, row)
        strangers = {row["name"] for row in rows if row.get("uid") not in found}
        for uid, body in self.contacts.items():
            if uid not in found and body["name"] in strangers:
                reason = f"contact point {body['name']!r} is there and not ours; rename it"
                found[uid] = Found(None, "others", None, reason)
        return found

    def write(self, change: Change) -> None:
        """POST with our uid, or PUT."""
        body = self.contacts[change.key]
        if change.found is None or change.found.raw is None:
            self.grafana.ask("POST", f"{API}/contact-points", body)
        else:
            self.grafana.ask("PUT", f"{API}/contact-points/{change.key}", body)

    def remove(self, change: Change) -> None:
        """By uid."""
        self.grafana.ask("DELETE", f"{API}/contact-points/{change.key}")


def _comparable(body: Json) -> Json:
    settings = {
        key: str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for key, value in body["settings"].items()
    }
    if CREDENTIALS in settings:
        settings[CREDENTIALS] = "[REDACTED]"  # whether it is there is all that Grafana tells
    return {**body, "settings": settings}


class Templates(RemovableKind):
    """The texts of notifications, by name."""

    name = "template"

    def __init__(self, grafana: Grafana, texts: Mapping[str, str] | None = None) -> None:
        super().__init__(grafana)
        self.texts = {TEMPLATE_NAME: TEMPLATE} if texts is None else dict(texts)

    def wanted(self) -> Mapping[str, Any]:
        """Text by name."""
        return {name: {"template": text} for name, text in self.texts.items()}

    def found(self) -> Mapping[str, Found]:
        """Those whose name begins as ours do. 9.4 answers null where there is none."""
        rows = self.grafana.find(f"{API}/templates") or []
        return {
            row["name"]: Found(row, _owner(row), row)
            for row in rows
            if row["name"].startswith(UID_PREFIX)
        }

    def write(self, change: Change) -> None:
        """One call makes and replaces."""
        self.grafana.ask("PUT", f"{API}/templates/{change.key}", change.wanted)

    def remove(self, change: Change) -> None:
        """By name."""
        self.grafana.ask("DELETE", f"{API}/templates/{change.key}")


class MuteTimings(RemovableKind):
    """Times of silence, by name."""

    name = "mute timing"

    def __init__(self, grafana: Grafana, mutes: Sequence[MuteSpec]) -> None:
        super().__init__(grafana)
        self.mutes = {one.name: mute_timing(one) for one in mutes}

    def wanted(self) -> Mapping[str, Any]:
        """Bodies by name."""
        return self.mutes

    def found(self) -> Mapping[str, Found]:
        """Those whose name begins as ours do."""
        rows = self.grafana.get(f"{API}/mute-timings") or []
        return {
            row["name"]: Found(row, _owner(row), row)
            for row in rows
            if row["name"].startswith(UID_PREFIX)
        }

    def write(self, change: Change) -> None:
        """POST, or PUT by name."""
        if change.found is None:
            self.grafana.ask("POST", f"{API}/mute-timings", change.wanted)
        else:
            self.grafana.ask("PUT", f"{API}/mute-timings/{quote(change.key)}", change.wanted)

    def remove(self, change: Change) -> None:
        """By name."""
        self.grafana.ask("DELETE", f"{API}/mute-timings/{quote(change.key)}")


class Policies(RemovableKind):
    """Our branch of the tree of policies; the root and all other branches are the user's.

    It goes before the user's own branches: it takes our alerts only, and one of theirs that
    takes everything would otherwise have them.
    """

    name = "policies"
    MINE = (OWNER_LABEL, "=", OWNER)

    def __init__(self, grafana: Grafana, root: RouteSpec | None) -> None:
        super().__init__(grafana)
        self.branch = policy(root) if root else None

    def wanted(self) -> Mapping[str, Any]:
        """The branch under the label it matches."""
        return {OWNER: self.branch} if self.branch else {}

    def found(self) -> Mapping[str, Found]:
        """Our branch, if the tree has one; `files` where files own the tree."""
        tree = self.grafana.get(f"{API}/policies")
        mine = [one for one in tree.get("routes") or () if self._is_mine(one)]
        if _owner(tree) == "files":
            return {OWNER: Found(mine[0] if mine else None, "files", tree)}
        return {OWNER: Found(mine[0], "twin", tree)} if mine else {}

    def _is_mine(self, route: Json) -> bool:
        """Object matchers, or the map that 9.x prints for plain equalities."""
        rows = {tuple(one) for one in route.get("object_matchers") or ()}
        rows |= {(key, "=", value) for key, value in (route.get("match") or {}).items()}
        return rows == {self.MINE}

    def _put(self, branches: list[Json]) -> None:
        """The whole tree again, read a moment ago: this call has no way to change a part."""
        tree = self.grafana.get(f"{API}/policies")
        rest = [one for one in tree.get("routes") or () if not self._is_mine(one)]
        body = {**tree, "routes": [*branches, *rest]}
        # A tree that another tool holds by the API stays so; the user's own stays editable.
        headers = {} if body.pop("provenance", None) else EDITABLE
        self.grafana.ask("PUT", f"{API}/policies", body, headers)

    def write(self, change: Change) -> None:
        """Our branch first, the user's after it as they are."""
        self._put([change.wanted])

    def remove(self, change: Change) -> None:
        """The tree without our branch."""
        assert change.key == OWNER
        self._put([])


class RuleGroups(RemovableKind):
    """Rules in groups of our folder. A group is one resource: its PUT replaces what it holds.

    A rule of somebody else in a group of ours is kept: the group is then written rule by rule.
    """

    name = "rule group"

    def __init__(self, grafana: Grafana, specs: Sequence[RuleSpec]) -> None:
        super().__init__(grafana)
        self.groups = {name: group_json(name, rows) for name, rows in groups(specs).items()}

    def wanted(self) -> Mapping[str, Any]:
        """Interval [s], which rules, and each rule by its uid."""
        return {
            name: {
                "interval": body["interval"],
                "uids": sorted(self._uids(name)),
                "rules": {rule["uid"]: rule for rule in body["rules"]},
            }
            for name, body in self.groups.items()
        }

    def found(self) -> Mapping[str, Found]:
        """Groups of our folder with rules of ours; one that was moved away counts as missing."""
        rows = self.grafana.get(f"{API}/alert-rules")
        here: dict[str, list[Json]] = {}
        taken = {row["uid"]: row for row in rows if row["uid"] in self._uids()}
        for row in rows:
            if row["folderUID"] == FOLDER_UID:
                here.setdefault(row["ruleGroup"], []).append(row)
        found = {}
        for name in sorted(here.keys() | self.groups.keys()):
            strangers = [
                row for uid, row in taken.items()
                if uid in self._uids(name) and not _is_ours(row)
            ]  # fmt: skip
            one = self._group(name, here.get(name, []), strangers)
            if one is not None:
                found[name] = one
        return found

    def _uids(self, group: str | None = None) -> set[str]:
        chosen = self.groups if group is None else {group: self.groups.get(group, {"rules": []})}
        return {rule["uid"] for body in chosen.values() for rule in body["rules"]}

    def _group(self, name: str, rows: list[Json], strangers: list[Json]) -> Found | None:
        if strangers:
            files = any(_owner(row) == "files" for row in strangers)
            reason = f"rule {strangers[0]['uid']} is there and not ours"
            return Found(None, "files" if files else "others", None, "" if files else reason)
        ours = [row for row in rows if _is_ours(row)]
        if not ours:
            return None
        answer = self.grafana.find(f"{API}/folder/{FOLDER_UID}/rule-groups/{quote(name)}") or {}
        interval = answer.get("interval", 0)
        if len(ours) < len(rows) and name in self.groups:
            interval = self.groups[name]["interval"]  # a shared group keeps the interval it has
        body = {
            "interval": interval,
            "uids": sorted(row["uid"] for row in ours),
            "rules": {row["uid"]: row for row in ours},
        }
        return Found(body, "twin", rows)

    def write(self, change: Change) -> None:
        """The whole group, or each rule where the group also holds somebody else's."""
        rows = change.found.raw if change.found is not None and change.found.raw else []
        if all(_is_ours(row) for row in rows):
            path = f"{API}/folder/{FOLDER_UID}/rule-groups/{quote(change.key)}"
            self.grafana.ask("PUT", path, self.groups[change.key])
            return
        there = {row["uid"] for row in rows}
        for rule in self.groups[change.key]["rules"]:
            if rule["uid"] in there:
                self.grafana.ask("PUT", f"{API}/alert-rules/{rule['uid']}", rule)
            else:
                self.grafana.ask("POST", f"{API}/alert-rules", rule)
        for row in rows:
            if _is_ours(row) and row["uid"] not in self._uids(change.key):
                self.grafana.ask("DELETE", f"{API}/alert-rules/{row['uid']}")

    def remove(self, change: Change) -> None:
        """Rule by rule, ours only: 9.4 cannot delete a group."""
        assert change.found is not None
        for row in change.found.raw:
            if _is_ours(row):
                self.grafana.ask("DELETE", f"{API}/alert-rules/{row['uid']}")


def _is_ours(rule: Json) -> bool:
    labels = rule.get("labels") or {}
    mine = rule["uid"].startswith(UID_PREFIX) and labels.get(OWNER_LABEL) == OWNER
    return mine and _owner(rule) != "files"
