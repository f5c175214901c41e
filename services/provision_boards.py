"""Folders, the data source and dashboards of a Grafana, as kinds of `services.provision`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from dashboards.grafana_json import DATASOURCE_UID
from dashboards.routes import UID_PREFIX
from services.grafana import Grafana, GrafanaRefusedError
from services.provision import Change, Found, Json, Kind, RemovableKind
from services.provision_compare import fingerprint

BOARDS_FOLDER: Final = ("twin-dashboards", "Orbital Twin")
REVISION_TAG: Final = "twin-rev:"
OUR_TAG: Final = "orbital-twin"
FOLDERS_LIMIT: Final = 1000
BOARDS_LIMIT: Final = 5000
"""Most that Grafana lists in one answer; ours are at the root, and found by a tag."""


class Folders(Kind):
    """Folders by uid. They are never removed: one may hold what others put into it."""

    name = "folder"

    def __init__(self, grafana: Grafana, folders: Sequence[tuple[str, str]]) -> None:
        super().__init__(grafana)
        self.folders = dict(folders)

    def wanted(self) -> Mapping[str, Any]:
        """Title of each."""
        return {uid: {"title": title} for uid, title in self.folders.items()}

    def found(self) -> Mapping[str, Found]:
        """By uid, and those whose title is in the way."""
        rows = self.grafana.get(f"/folders?limit={FOLDERS_LIMIT}")
        by_uid = {row["uid"]: Found({"title": row["title"]}) for row in rows}
        by_title = {row["title"]: row["uid"] for row in rows}
        found = {}
        for uid, title in self.folders.items():
            if uid in by_uid:
                found[uid] = by_uid[uid]
            elif title in by_title:
                reason = f"folder {title!r} has uid {by_title[title]!r} and is not ours; rename it"
                found[uid] = Found(None, "others", None, reason)
        return found

    def write(self, change: Change) -> None:
        """POST a new one, or PUT its title."""
        if change.found is None:
            self.grafana.ask("POST", "/folders", {"uid": change.key, **change.wanted})
        else:
            self.grafana.ask("PUT", f"/folders/{change.key}", {**change.wanted, "overwrite": True})


class DataSource(RemovableKind):
    """The store; its secrets are sent whenever it is written and cannot be read back.

    `isDefault` is the user's choice: sent as false when it is made and left alone afterwards.
    """

    name = "data source"

    def __init__(self, grafana: Grafana, body: Json, secrets: Mapping[str, str]) -> None:
        super().__init__(grafana)
        self.body, self.secrets = body, dict(secrets)

    def wanted(self) -> Mapping[str, Any]:
        """The one data source, with the names of its secrets."""
        # `database` is what 9 reads and what newer ones may drop; `jsonData.dbName` says the same.
        body = {key: value for key, value in self.body.items() if key != "database"}
        return {DATASOURCE_UID: {**body, "secrets": sorted(self.secrets)}}

    def found(self) -> Mapping[str, Found]:
        """By uid, or one of another uid that has its name."""
        there = self.grafana.find(f"/datasources/uid/{DATASOURCE_UID}")
        if there is not None:
            set_ones = set(there.get("secureJsonFields") or {})
            body = {**there, "secrets": sorted(set_ones & set(self.secrets))}
            return {
                DATASOURCE_UID: Found(body, "files" if there.get("readOnly") else "twin", there)
            }
        name = self.body["name"]
        other = self.grafana.find(f"/datasources/name/{quote(name)}")
        if other is None:
            return {}
        reason = f"data source {name!r} has uid {other['uid']!r} and is not ours; rename it"
        return {DATASOURCE_UID: Found(None, "others", None, reason)}

    def write(self, change: Change) -> None:
        """POST a new one, or PUT it by uid: numeric ids are off in 13."""
        body = {**self.body, "uid": change.key, "secureJsonData": self.secrets}
        if change.found is None or change.found.raw is None:
            self.grafana.ask("POST", "/datasources", {**body, "isDefault": False})
            return
        body["isDefault"] = bool(change.found.raw.get("isDefault"))
        self.grafana.ask("PUT", f"/datasources/uid/{change.key}", body)

    def remove(self, change: Change) -> None:
        """By uid; only what is ours comes here."""
        self.grafana.ask("DELETE", f"/datasources/uid/{change.key}")


class Dashboards(RemovableKind):
    """Dashboards by uid. A tag holds the fingerprint of what we wrote.

    12 and 13 migrate a dashboard to a newer schema, so that its panels can no longer be compared
    key by key: then the fingerprint is compared, and the message of its newest version, which an
    edit by anybody else does not carry.
    """

    name = "dashboard"

    def __init__(self, grafana: Grafana, boards: Sequence[Json]) -> None:
        super().__init__(grafana)
        self.boards = {board["uid"]: _marked(board) for board in boards}

    def wanted(self) -> Mapping[str, Any]:
        """Each dashboard with its folder."""
        folder = BOARDS_FOLDER[0]
        return {uid: {"folderUid": folder, "board": board} for uid, board in self.boards.items()}

    def found(self) -> Mapping[str, Found]:
        """Ours by uid and tag, wherever they were moved; others that have a uid of ours."""
        tagged = self.grafana.get(f"/search?type=dash-db&tag={OUR_TAG}&limit={BOARDS_LIMIT}")
        uids = {row["uid"] for row in tagged if row["uid"].startswith(UID_PREFIX)}
        found = {}
        for uid in sorted(uids | self.boards.keys()):
            answer = self.grafana.find(f"/dashboards/uid/{uid}")
            if answer is not None:
                found[uid] = self._one(uid, answer)
        return found

    def _one(self, uid: str, answer: Json) -> Found:
        meta, board = answer["meta"], answer["dashboard"]
        is_marked = any(tag.startswith(REVISION_TAG) for tag in board.get("tags", ()))
        owner = "files" if meta.get("provisioned") else "twin" if is_marked else "others"
        body: Json = {"folderUid": meta.get("folderUid", ""), "board": board}
        ours = self.boards.get(uid)
        is_migrated = ours is not None and board.get("schemaVersion") != ours["schemaVersion"]
        if is_migrated and owner == "twin":
            assert ours is not None
            is_same = _revision(board) == _revision(ours) and self._is_last_writer(uid, board)
            body["board"] = ours if is_same else board
        return Found(body, owner, answer)  # type: ignore[arg-type]

    def _is_last_writer(self, uid: str, board: Json) -> bool:
        """Whether its newest version is the one we wrote; true where Grafana keeps no message."""
        try:
            answer = self.grafana.get(f"/dashboards/uid/{uid}/versions?limit=1")
        except GrafanaRefusedError:
            return True
        rows = answer.get("versions", []) if isinstance(answer, dict) else answer
        message = rows[0].get("message", "") if rows else ""
        return not message or message == _revision(board)

    def write(self, change: Change) -> None:
        """One call makes and replaces; `overwrite`, because whose it is was looked at."""
        board = change.wanted["board"]
        body = {
            "dashboard": {**board, "id": None},
            "folderUid": change.wanted["folderUid"],
            "message": _revision(board),
            "overwrite": True,
        }
        self.grafana.ask("POST", "/dashboards/db", body)

    def remove(self, change: Change) -> None:
        """By uid."""
        self.grafana.ask("DELETE", f"/dashboards/uid/{change.key}")


def _marked(board: Json) -> Json:
    """The dashboard with the tag of its revision, without what Grafana numbers itself."""
    body = {key: value for key, value in board.items() if key not in {"id", "version"}}
    tag = REVISION_TAG + fingerprint(body)
    return {**body, "tags": [*body["tags"], tag]}


def _revision(board: Json) -> str:
    return next((tag for tag in board.get("tags", ()) if tag.startswith(REVISION_TAG)), "")
