"""Each call of Grafana's API that the stand-in answers, and where it is."""

from collections.abc import Callable
from typing import Any

from fake_alerts import rule_state
from fake_state import V9, V13, Json, RefusedError, State

Reply = tuple[int, Any]


class Calls:
    """One method for each call; what it needs of the server is declared here."""

    state: State
    query: Callable[[Json], Reply] | None

    def org(self, **_: Any) -> Reply:
        return 200, {"id": 1, "name": "Main Org."}

    def plugin(self, _name: str, **_: Any) -> Reply:
        return 200, {"id": "influxdb", "enabled": True}

    def numeric(self, *_: Any, **__: Any) -> Reply:
        return (200, {}) if self.state.profile.has_numeric_ids else (404, {"message": "gone"})

    def list_folders(self, **_: Any) -> Reply:
        return 200, [{"id": r["id"], "uid": r["uid"], "title": r["title"]}
                     for r in self.state.folders.values()]  # fmt: skip

    def make_folder(self, *, body: Json, **_: Any) -> Reply:
        return 200, self.state.put_folder(body["uid"], body["title"], is_new=True)

    def change_folder(self, uid: str, *, body: Json, **_: Any) -> Reply:
        if not body.get("overwrite"):
            return 412, {"message": "the folder has been changed by someone else"}
        return 200, self.state.put_folder(uid, body["title"], is_new=False)

    def list_sources(self, **_: Any) -> Reply:
        return 200, [self.state.source(uid) for uid in self.state.sources]

    def get_source(self, uid: str, **_: Any) -> Reply:
        if uid not in self.state.sources:
            raise RefusedError(404, "Data source not found")
        return 200, self.state.source(uid)

    def source_by_name(self, name: str, **_: Any) -> Reply:
        for uid, row in self.state.sources.items():
            if row["name"] == name:
                return 200, self.state.source(uid)
        raise RefusedError(404, "Data source not found")

    def source_health(self, uid: str, **_: Any) -> Reply:
        if uid not in self.state.sources:
            raise RefusedError(404, "Data source not found")
        return 200, {"status": "OK", "message": "datasource is working. 5 measurements found"}

    def make_source(self, *, body: Json, **_: Any) -> Reply:
        row = self.state.put_source(body["uid"], body, is_new=True)
        return 200, {"datasource": row, "id": row["id"], "message": "Datasource added"}

    def change_source(self, uid: str, *, body: Json, **_: Any) -> Reply:
        return 200, {"datasource": self.state.put_source(uid, body, is_new=False)}

    def drop_source(self, uid: str, **_: Any) -> Reply:
        self.state.sources.pop(uid)
        return 200, {"message": "Data source deleted"}

    def search(self, *, query: Json, **_: Any) -> Reply:
        tag = query.get("tag", "")
        return 200, [{"uid": uid, "title": row["dashboard"]["title"], "type": "dash-db"}
                     for uid, row in self.state.boards.items()
                     if not tag or tag in row["dashboard"].get("tags", [])]  # fmt: skip

    def get_board(self, uid: str, **_: Any) -> Reply:
        row = self.state.boards.get(uid)
        if row is None:
            raise RefusedError(404, "Dashboard not found")
        meta = {"folderUid": row["folderUid"], "provisioned": row["provisioned"],
                "version": row["dashboard"]["version"], "canSave": True}  # fmt: skip
        return 200, {"meta": meta, "dashboard": row["dashboard"]}

    def versions(self, uid: str, **_: Any) -> Reply:
        row = self.state.boards[uid]
        rows = [{"version": row["dashboard"]["version"], "message": row["message"]}]
        return 200, {"versions": rows} if self.state.profile is V13 else rows

    def put_board(self, *, body: Json, **_: Any) -> Reply:
        return 200, self.state.put_board(body)

    def drop_board(self, uid: str, **_: Any) -> Reply:
        if uid not in self.state.boards:
            raise RefusedError(404, "Dashboard not found")
        if self.state.boards[uid]["provisioned"]:
            raise RefusedError(400, "provisioned dashboard cannot be deleted")
        del self.state.boards[uid]
        return 200, {"message": "Dashboard deleted"}

    def list_contacts(self, **_: Any) -> Reply:
        return 200, [self.state.contact(uid) for uid in self.state.contacts]

    def make_contact(self, *, body: Json, headers: Any, **_: Any) -> Reply:
        uid = body.get("uid") or f"made-{next(self.state.numbers)}"
        mark = self.state.provenance(headers)
        return 202, self.state.put_contact(uid, body, mark, is_new=True)

    def change_contact(self, uid: str, *, body: Json, headers: Any, **_: Any) -> Reply:
        self.state.put_contact(uid, body, self.state.provenance(headers), is_new=False)
        return 202, {"message": "contactpoint updated"}

    def drop_contact(self, uid: str, **_: Any) -> Reply:
        self.state.drop_contact(uid)
        return 202, {"message": "contactpoint deleted"}

    def list_templates(self, **_: Any) -> Reply:
        return 200, list(self.state.templates.values()) or self.state.profile.empty_templates

    def put_template(self, name: str, *, body: Json, headers: Any, **_: Any) -> Reply:
        row = {"name": name, "template": body["template"].strip(),
               "provenance": self.state.provenance(headers)}  # fmt: skip
        if self.state.profile is V13:
            row["version"] = f"{next(self.state.numbers):x}"
        self.state.templates[name] = row
        return 202, row

    def drop_template(self, name: str, **_: Any) -> Reply:
        self.state.templates.pop(name, None)
        return 204, None

    def list_mutes(self, **_: Any) -> Reply:
        return 200, list(self.state.mutes.values())

    def make_mute(self, *, body: Json, headers: Any, **_: Any) -> Reply:
        if body["name"] in self.state.mutes:
            raise RefusedError(400 if self.state.profile is V9 else 409, "name already exists")
        return 201, self._mute(body["name"], body, headers)

    def change_mute(self, name: str, *, body: Json, headers: Any, **_: Any) -> Reply:
        if name not in self.state.mutes:
            raise RefusedError(404, "mute timing not found")
        return 202, self._mute(name, body, headers)

    def _mute(self, name: str, body: Json, headers: Any) -> Json:
        row = {**body, "provenance": self.state.provenance(headers)}
        if self.state.profile is V13:
            row["version"] = f"{next(self.state.numbers):x}"
        self.state.mutes[name] = row
        return row

    def drop_mute(self, name: str, **_: Any) -> Reply:
        self.state.drop_mute(name)
        return 204, None

    def get_tree(self, **_: Any) -> Reply:
        return 200, self.state.tree

    def put_tree(self, *, body: Json, headers: Any, **_: Any) -> Reply:
        self.state.put_tree(body, self.state.provenance(headers))
        return 202, {"message": "policies updated"}

    def list_rules(self, **_: Any) -> Reply:
        return 200, list(self.state.rules.values())

    def make_rule(self, *, body: Json, headers: Any, **_: Any) -> Reply:
        mark = self.state.provenance(headers, of_rule=True)
        return 201, self.state.put_rule(body, mark, is_new=True)

    def change_rule(self, uid: str, *, body: Json, headers: Any, **_: Any) -> Reply:
        mark = self.state.provenance(headers, of_rule=True)
        return 200, self.state.put_rule(body | {"uid": uid}, mark, is_new=False)

    def drop_rule(self, uid: str, **_: Any) -> Reply:
        self.state.rules.pop(uid, None)
        return 204, None

    def get_group(self, folder: str, group: str, **_: Any) -> Reply:
        rules = [row for row in self.state.rules.values()
                 if (row["folderUID"], row["ruleGroup"]) == (folder, group)]  # fmt: skip
        if not rules:
            raise RefusedError(404, "rule group not found")
        interval = self.state.intervals.get((folder, group), 60)
        return 200, {"title": group, "folderUid": folder, "interval": interval, "rules": rules}

    def put_group(self, folder: str, group: str, *, body: Json, headers: Any, **_: Any) -> Reply:
        self.state.put_group(folder, group, body, self.state.provenance(headers))
        return 200, body

    def find_accounts(self, *, query: Json, **_: Any) -> Reply:
        rows = [{key: value for key, value in row.items() if key != "tokens"}
                for row in self.state.accounts.values()
                if query.get("query", "") in row["name"]]  # fmt: skip
        return 200, {"totalCount": len(rows), "serviceAccounts": rows, "page": 1}

    def make_account(self, *, body: Json, **_: Any) -> Reply:
        if any(row["name"] == body["name"] for row in self.state.accounts.values()):
            raise RefusedError(400, "service account already exists")
        number = next(self.state.numbers)
        row = {"id": number, "name": body["name"], "role": body["role"], "isDisabled": False}
        self.state.accounts[number] = row | {"tokens": []}
        return 201, row

    def change_account(self, number: str, *, body: Json, **_: Any) -> Reply:
        self.state.accounts[int(number)] |= body
        return 200, {"message": "Service account updated"}

    def drop_account(self, number: str, **_: Any) -> Reply:
        del self.state.accounts[int(number)]
        return 200, {"message": "Service account deleted"}

    def list_tokens(self, number: str, **_: Any) -> Reply:
        tokens = self.state.accounts[int(number)]["tokens"]
        return 200, [{"id": row["id"], "name": row["name"]} for row in tokens]

    def make_token(self, number: str, *, body: Json, **_: Any) -> Reply:
        tokens = self.state.accounts[int(number)]["tokens"]
        if any(row["name"] == body["name"] for row in tokens):
            raise RefusedError(409, "service account token with given name already exists")
        one = next(self.state.numbers)
        row = {"id": one, "name": body["name"], "key": f"glsa_{one:032d}"}
        tokens.append(row)
        return 200, row

    def drop_token(self, number: str, token: str, **_: Any) -> Reply:
        tokens = self.state.accounts[int(number)]["tokens"]
        tokens[:] = [row for row in tokens if row["id"] != int(token)]
        return 200, {"message": "Service account token deleted"}

    def annotate(self, *, body: Json, **_: Any) -> Reply:
        number = next(self.state.numbers)
        self.state.annotations.append(body | {"id": number})
        return 200, {"id": number, "message": "Annotation added"}

    def list_annotations(self, **_: Any) -> Reply:
        return 200, self.state.annotations

    def drop_annotation(self, number: str, **_: Any) -> Reply:
        rows = self.state.annotations
        rows[:] = [row for row in rows if row["id"] != int(number)]
        return 200, {"message": "Annotation deleted"}

    def run_query(self, *, body: Json, **_: Any) -> Reply:
        assert self.query is not None, "this test gave the fake no store to ask"
        return self.query(body)

    def rule_states(self, **_: Any) -> Reply:
        groups: dict[str, list[Json]] = {}
        for row in self.state.rules.values():
            groups.setdefault(row["ruleGroup"], []).append(rule_state(self.state, row))
        rows = [{"name": name, "file": "Twin alerts", "rules": rules}
                for name, rules in groups.items()]  # fmt: skip
        return 200, {"status": "success", "data": {"groups": rows}}


_V1 = "/v1/provisioning"
CALLS = [
    ("GET /org", "org"),
    ("GET /plugins/(influxdb)/settings", "plugin"),
    (r"(?:GET|PUT|DELETE) /datasources/\d+", "numeric"),
    ("GET /folders", "list_folders"),
    ("POST /folders", "make_folder"),
    ("PUT /folders/([^/]+)", "change_folder"),
    ("GET /datasources", "list_sources"),
    ("GET /datasources/uid/([^/]+)/health", "source_health"),
    ("GET /datasources/uid/([^/]+)", "get_source"),
    ("GET /datasources/name/([^/]+)", "source_by_name"),
    ("POST /datasources", "make_source"),
    ("PUT /datasources/uid/([^/]+)", "change_source"),
    ("DELETE /datasources/uid/([^/]+)", "drop_source"),
    ("GET /search", "search"),
    ("GET /dashboards/uid/([^/]+)/versions", "versions"),
    ("GET /dashboards/uid/([^/]+)", "get_board"),
    ("POST /dashboards/db", "put_board"),
    ("DELETE /dashboards/uid/([^/]+)", "drop_board"),
    (f"GET {_V1}/contact-points", "list_contacts"),
    (f"POST {_V1}/contact-points", "make_contact"),
    (f"PUT {_V1}/contact-points/([^/]+)", "change_contact"),
    (f"DELETE {_V1}/contact-points/([^/]+)", "drop_contact"),
    (f"GET {_V1}/templates", "list_templates"),
    (f"PUT {_V1}/templates/([^/]+)", "put_template"),
    (f"DELETE {_V1}/templates/([^/]+)", "drop_template"),
    (f"GET {_V1}/mute-timings", "list_mutes"),
    (f"POST {_V1}/mute-timings", "make_mute"),
    (f"PUT {_V1}/mute-timings/([^/]+)", "change_mute"),
    (f"DELETE {_V1}/mute-timings/([^/]+)", "drop_mute"),
    (f"GET {_V1}/policies", "get_tree"),
    (f"PUT {_V1}/policies", "put_tree"),
    (f"GET {_V1}/alert-rules", "list_rules"),
    (f"POST {_V1}/alert-rules", "make_rule"),
    (f"PUT {_V1}/alert-rules/([^/]+)", "change_rule"),
    (f"DELETE {_V1}/alert-rules/([^/]+)", "drop_rule"),
    (f"GET {_V1}/folder/([^/]+)/rule-groups/([^/]+)", "get_group"),
    (f"PUT {_V1}/folder/([^/]+)/rule-groups/([^/]+)", "put_group"),
    ("GET /serviceaccounts/search", "find_accounts"),
    ("POST /serviceaccounts", "make_account"),
    (r"PATCH /serviceaccounts/(\d+)", "change_account"),
    (r"DELETE /serviceaccounts/(\d+)", "drop_account"),
    (r"GET /serviceaccounts/(\d+)/tokens", "list_tokens"),
    (r"POST /serviceaccounts/(\d+)/tokens", "make_token"),
    (r"DELETE /serviceaccounts/(\d+)/tokens/(\d+)", "drop_token"),
    ("POST /annotations", "annotate"),
    ("GET /annotations", "list_annotations"),
    (r"DELETE /annotations/(\d+)", "drop_annotation"),
    ("POST /ds/query", "run_query"),
    ("GET /prometheus/grafana/api/v1/rules", "rule_states"),
]
