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

    async def _list_mappings(self, request: web.Request) -> web.Response:
        name = request.query["db"]
        rows = [row for row in self.mappings if row["database"] == name]
        if self.virtual_mappings and not rows:
            rows = [{"database": name, "virtual": True}]
        return web.json_response({"content": rows})

    async def _make_mapping(self, request: web.Request) -> web.Response:
        self.mappings.append(await request.json())
        return web.json_response(self.mappings[-1], status=201)

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


def tokens_in(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in directory.iterdir()}


async def test_bucket_retention_and_one_token_for_each_action(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    await prepare(url, tmp_path)
    (bucket,) = influx.buckets.values()
    assert bucket["name"] == "telemetry"
    assert bucket["retentionRules"][0]["everySeconds"] == 7 * DAY_S
    given = {row["token"]: row["permissions"] for row in influx.authorizations.values()}
    for action, token in tokens_in(tmp_path).items():
        resource = {"type": "buckets", "id": bucket["id"], "orgID": "o1"}
        assert given[token] == [{"action": action, "resource": resource}]
    assert tokens_in(tmp_path).keys() == {"write", "read"}
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
    assert len(influx.authorizations) == 2


async def test_retention_is_brought_to_the_wanted_length(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    await prepare(url, tmp_path)
    await prepare(url, tmp_path, days=30)
    (bucket,) = influx.buckets.values()
    assert bucket["retentionRules"][0]["everySeconds"] == 30 * DAY_S


async def test_a_server_without_mappings_of_its_own_gets_one(
    fake: tuple[FakeInflux2, str], tmp_path: Path
) -> None:
    influx, url = fake
    influx.virtual_mappings = False
    await prepare(url, tmp_path)
    await prepare(url, tmp_path)
    (mapping,) = influx.mappings
    assert mapping["database"] == "telemetry"
    assert mapping["bucketID"] in influx.buckets


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
        answer = json.loads(store.query("SHOW RETENTION POLICIES", "telemetry"))
        (policy,) = answer["results"][0]["series"][0]["values"]
        assert policy[:3] == ["autogen", "168h0m0s", "24h0m0s"]
        assert policy[4] is True
