"""The one-shot set-up of the store: on a real InfluxDB 1.x, and on a stand-in for 2.x.

The stand-in keeps the contract of the documented 2.7 API that the set-up uses. It proves our
half of the conversation, not InfluxDB's.
"""

import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from deployment import ROOT, compose
from servers import influxd_server

from services.settings import load_settings
from services.store_setup import set_up_store
from twin.errors import ConfigurationError, DependencyUnavailableError

OPERATOR = "operator-token-of-more-than-32-characters"
DAY_S = 86_400


@dataclass
class FakeInflux2:
    """Organisations, buckets, mappings and authorizations of an InfluxDB 2."""

    virtual_mappings: bool = True
    orgs: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "o1", "name": "twin"}])
    buckets: dict[str, dict[str, Any]] = field(default_factory=dict)
    mappings: list[dict[str, Any]] = field(default_factory=list)
    authorizations: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/ping", self._ping)
        app.router.add_get("/api/v2/orgs", self._orgs)
        app.router.add_get("/api/v2/buckets", self._list_buckets)
        app.router.add_post("/api/v2/buckets", self._make_bucket)
        app.router.add_patch("/api/v2/buckets/{id}", self._change_bucket)
        app.router.add_get("/api/v2/dbrps", self._list_mappings)
        app.router.add_post("/api/v2/dbrps", self._make_mapping)
        app.router.add_patch("/api/v2/dbrps/{id}", self._change_mapping)
        app.router.add_get("/api/v2/authorizations", self._list_tokens)
        app.router.add_post("/api/v2/authorizations", self._make_token)
        app.router.add_delete("/api/v2/authorizations/{id}", self._drop_token)
        app.router.add_post("/api/v2/write", self._use("write"))
        app.router.add_get("/query", self._use("read"))
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        open_to_all = request.path in {"/ping", "/query", "/api/v2/write"}
        if not open_to_all and request.headers.get("Authorization") != f"Token {OPERATOR}":
            return web.json_response({"code": "unauthorized"}, status=401)
        if request.method in {"POST", "PATCH", "DELETE"} and request.path != "/api/v2/write":
            self.changes.append(f"{request.method} {request.path}")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Version": "v2.7.12"})

    async def _orgs(self, request: web.Request) -> web.Response:
        found = [org for org in self.orgs if org["name"] == request.query["org"]]
        return web.json_response({"orgs": found})

    async def _list_buckets(self, request: web.Request) -> web.Response:
        name = request.query["name"]
        rows = [row for row in self.buckets.values() if row["name"] == name]
        return web.json_response({"buckets": rows})

    async def _make_bucket(self, request: web.Request) -> web.Response:
        row = await request.json() | {"id": f"b{next(self.numbers)}"}
        self.buckets[row["id"]] = row
        return web.json_response(row, status=201)

    async def _change_bucket(self, request: web.Request) -> web.Response:
        row = self.buckets[request.match_info["id"]]
        row |= await request.json()
        return web.json_response(row)

    def listed(self, database: str) -> list[dict[str, Any]]:
        """As FindMany of 2.7's dbrp/service.go: mappings, then a virtual one for each bucket.

        A virtual one is default unless its bucket has a mapping among those found.
        """
        found = [row for row in self.mappings if row["database"] == database]
        mapped = {row["bucketID"] for row in found}
        for bucket in self.buckets.values() if self.virtual_mappings else ():
            name, _, policy = bucket["name"].partition("/")
            if name == database:
                found.append(
                    {
                        "id": bucket["id"],
                        "bucketID": bucket["id"],
                        "database": name,
                        "retention_policy": policy or "autogen",
                        "default": bucket["id"] not in mapped,
                        "virtual": True,
                    }
                )
        return found

    async def _list_mappings(self, request: web.Request) -> web.Response:
        return web.json_response({"content": self.listed(request.query["db"])})

    async def _make_mapping(self, request: web.Request) -> web.Response:
        row = await request.json()
        same = [one for one in self.mappings if one["database"] == row["database"]]
        if any(one["retention_policy"] == row["retention_policy"] for one in same):
            text = "another DBRP mapping with same orgID, db, and rp exists"
            return web.json_response({"code": "conflict", "message": text}, status=409)
        self._only_default(row if row["default"] or not same else None)
        self.mappings.append(row | {"id": f"m{next(self.numbers)}", "virtual": False})
        return web.json_response(self.mappings[-1], status=201)

    async def _change_mapping(self, request: web.Request) -> web.Response:
        (row,) = [one for one in self.mappings if one["id"] == request.match_info["id"]]
        change = await request.json()
        assert change.keys() <= {"retention_policy", "default"}  # the rest cannot be changed
        if change.get("default"):
            self._only_default(row)
        row |= change
        return web.json_response(row)

    def _only_default(self, row: dict[str, Any] | None) -> None:
        if row is None:
            return
        for one in self.mappings:
            one["default"] &= one["database"] != row["database"]
        row["default"] = True

    def in_force(self, database: str) -> str:
        """Name of the bucket that a database is for `/write` and InfluxQL."""
        bucket = next(one["bucketID"] for one in self.listed(database) if one["default"])
        name: str = self.buckets[bucket]["name"]
        return name

    async def _list_tokens(self, _: web.Request) -> web.Response:
        hidden = [row | {"token": "REDACTED"} for row in self.authorizations.values()]
        return web.json_response({"authorizations": hidden})

    async def _make_token(self, request: web.Request) -> web.Response:
        number = next(self.numbers)
        row = await request.json() | {"id": f"a{number}", "token": f"token-{number}-" + "x" * 40}
        self.authorizations[row["id"]] = row
        return web.json_response(row, status=201)

    async def _drop_token(self, request: web.Request) -> web.Response:
        del self.authorizations[request.match_info["id"]]
        return web.Response(status=204)

    def _use(self, action: str) -> Any:
        async def handler(request: web.Request) -> web.Response:
            for row in self.authorizations.values():
                if request.headers.get("Authorization") == f"Token {row['token']}":
                    allowed = any(one["action"] == action for one in row["permissions"])
                    return web.Response(status=204 if allowed else 403)
            return web.Response(status=401)

        return handler


@pytest.fixture
async def fake() -> AsyncIterator[tuple[FakeInflux2, str]]:
    influx = FakeInflux2()
    async with TestServer(influx.app()) as server:
        yield influx, str(server.make_url("")).rstrip("/")


async def prepare(url: str, tokens: Path, token: str = OPERATOR, days: int = 7) -> None:
    await set_up_store(load_settings(influx_url=url, influx_token=token), tokens, days)


def kept_days(influx: FakeInflux2) -> dict[str, int]:
    rows = influx.buckets.values()
    return {row["name"]: row["retentionRules"][0]["everySeconds"] // DAY_S for row in rows}


def tokens_in(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in directory.iterdir()}


async def test_bucket_retention_and_one_token_for_each_action(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    await prepare(url, tmp_path)
    assert kept_days(influx) == {"telemetry": 7, "telemetry_1m": 90}
    given = {row["token"]: row["permissions"] for row in influx.authorizations.values()}
    for action, token in tokens_in(tmp_path).items():
        resources = [{"type": "buckets", "id": one, "orgID": "o1"} for one in influx.buckets]
        actions = ["read", "write"] if action == "watch" else [action]
        assert given[token] == [
            {"action": act, "resource": one} for act in actions for one in resources
        ]
    assert tokens_in(tmp_path).keys() == {"write", "read", "watch"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}


async def test_a_second_run_changes_nothing(fake: tuple[FakeInflux2, str], tmp_path: Path) -> None:
    influx, url = fake
    await prepare(url, tmp_path)
    before = tokens_in(tmp_path)
    influx.changes.clear()
    await prepare(url, tmp_path)
    assert influx.changes == []
    assert tokens_in(tmp_path) == before


async def test_a_token_that_no_longer_works_is_replaced_and_its_forerunner_removed(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    await prepare(url, tmp_path)
    before = tokens_in(tmp_path)
    (tmp_path / "read").write_text("lost\n")
    await prepare(url, tmp_path)
    after = tokens_in(tmp_path)
    assert after["write"] == before["write"]
    assert after["read"] not in {"lost", before["read"]}
    assert {row["token"] for row in influx.authorizations.values()} == set(after.values())


async def test_swapped_token_files_are_noticed(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    await prepare(url, tmp_path)
    before = tokens_in(tmp_path)
    (tmp_path / "read").write_text(before["write"])
    await prepare(url, tmp_path)
    assert tokens_in(tmp_path)["read"] != before["write"]
    assert len(influx.authorizations) == 3


async def test_retention_is_brought_to_the_wanted_length(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    await prepare(url, tmp_path)
    await prepare(url, tmp_path, days=30)
    assert kept_days(influx) == {"telemetry": 30, "telemetry_1m": 90}


async def test_a_server_without_mappings_of_its_own_gets_one(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    influx.virtual_mappings = False  # before 2.4
    await prepare(url, tmp_path)
    await prepare(url, tmp_path)
    assert [row["database"] for row in influx.mappings] == ["telemetry", "telemetry_1m"]
    assert influx.in_force("telemetry") == "telemetry"
    assert influx.in_force("telemetry_1m") == "telemetry_1m"


async def test_a_database_that_somebody_has_mapped_elsewhere_is_named(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    await prepare(url, tmp_path)
    influx.buckets["b99"] = {"id": "b99", "name": "old", "retentionRules": []}
    mapping = {"id": "m1", "bucketID": "b99", "database": "telemetry", "retention_policy": "x"}
    influx.mappings.append(mapping | {"default": True, "virtual": False})
    assert influx.in_force("telemetry") == "old"  # rows would go there without a word
    with pytest.raises(ConfigurationError, match=r"mapped to bucket b99.*remove that mapping"):
        await prepare(url, tmp_path)
    influx.mappings[0]["default"] = False  # the bucket's own is in force again
    await prepare(url, tmp_path)
    assert influx.in_force("telemetry") == "telemetry"


async def test_a_mapping_of_ours_that_is_not_the_default_becomes_it(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    influx.virtual_mappings = False
    await prepare(url, tmp_path)
    influx.mappings[0]["default"] = False
    await prepare(url, tmp_path)
    assert influx.in_force("telemetry") == "telemetry"
    assert len(influx.mappings) == 2


async def test_one_name_for_both_databases_is_kept_for_the_longer_time(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    settings = load_settings(influx_url=url, influx_token=OPERATOR, influx_database_1m="telemetry")
    await set_up_store(settings, tmp_path, 7, 30)
    assert kept_days(influx) == {"telemetry": 30}


async def test_a_refused_token_and_an_unknown_organisation_are_named(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    with pytest.raises(ConfigurationError, match="TWIN_INFLUX_TOKEN_FILE"):
        await prepare(url, tmp_path, token="not the operator's, long enough")
    influx.orgs.clear()
    with pytest.raises(ConfigurationError, match="no organisation 'twin'"):
        await prepare(url, tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_no_answer_is_a_dependency_not_a_setting(tmp_path: Path) -> None:
    with pytest.raises(DependencyUnavailableError):
        await prepare("http://127.0.0.1:1", tmp_path)


def test_the_compose_command_prepares_a_real_influxdb_and_again(tmp_path: Path) -> None:
    service = compose()["services"]["setup"]
    assert service["entrypoint"][0] == "python"
    words = [*service["entrypoint"][1:], *service["command"]]
    command = [str(tmp_path) if word == "/run/twin-tokens" else word for word in words]
    with influxd_server() as store:
        given = {"TWIN_INFLUX_URL": store.url, "TWIN_INFLUX_DATABASE": "telemetry"}
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, *command],
                env=dict(os.environ) | given,
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        for database, kept in (("telemetry", "168h0m0s"), ("telemetry_1m", "2160h0m0s")):
            answer = json.loads(store.query("SHOW RETENTION POLICIES", database))
            (policy,) = answer["results"][0]["series"][0]["values"]
            assert policy[:3] == ["autogen", kept, "24h0m0s"]
            assert policy[4] is True
