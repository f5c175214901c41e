"""Prepares a real InfluxDB once: `python -m services.store_setup`, run by docker-compose.yml.

1.x gets two databases, of reports and of roll-ups over a minute, each with its retention, and,
where it asks for a log-in, three users. 2.x gets two buckets, the mappings that let InfluxQL find
them, and three tokens. Passwords or tokens go into files: `write` can only write, `read` can only
read, `watch` (the watcher judges what the services count) does both, each in both. The operator's
goes to no other service. Running it again changes nothing that
is right, and replaces what the store no longer takes.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import orjson

from services.http_peer import Answer, HttpPeer
from services.secret_files import write_secret
from services.settings import Settings, load_settings
from services.store import authorization
from services.store_users import Login, make_operator, make_user
from twin.errors import ConfigurationError, DependencyUnavailableError, Problem, TwinError

LOG = logging.getLogger(__name__)
SECONDS_PER_DAY = 86_400
SHARD_DAYS = 1
MINUTES_DAYS = 90
ROLES = {"write": ("write",), "read": ("read",), "watch": ("read", "write")}
"""Names of the token files, and what each token is for."""

Json = dict[str, Any]


class Operator(HttpPeer):
    """A session that acts as the store's operator."""

    def __init__(self, settings: Settings) -> None:
        if not settings.influx_url:
            raise _wrong("TWIN_INFLUX_URL", "not set")
        super().__init__(settings.influx_url, {}, _no_answer)
        self.settings = settings

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        token: str | None = None,
    ) -> Answer:
        """One request. Raises DependencyUnavailableError where there is no answer, or a 5xx."""
        headers = {"Authorization": f"Token {token}"} if token else authorization(self.settings)
        answer = await self.request(method, path, params=params, json=body, headers=headers)
        if answer.status >= 500:
            raise _no_answer(f"{self.url}{path}: HTTP {answer.status}")
        return answer

    async def must(self, method: str, path: str, **request: Any) -> Json:
        """The body of a request that has to succeed. Raises ConfigurationError otherwise."""
        answer = await self.ask(method, path, **request)
        if answer.status in {401, 403}:
            named = "PASSWORD" if self.settings.influx_username else "TOKEN"
            message = f"the store refuses this {named.lower()} for {path}"
            raise _wrong(f"TWIN_INFLUX_{named}_FILE", message)
        if answer.status >= 300:
            found = _json(answer)
            reason = found.get("message", found)
            raise _wrong("TWIN_INFLUX_URL", f"{method} {path}: HTTP {answer.status} {reason}")
        return _json(answer)


def _json(answer: Answer) -> Json:
    """The body; empty where there was none or it was not JSON."""
    found = orjson.loads(answer.content) if answer.is_json and answer.content else {}
    return found if isinstance(found, dict) else {}


def _no_answer(message: str) -> DependencyUnavailableError:
    return DependencyUnavailableError(f"store {message}")


def _wrong(setting: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem("environment", None, setting, message)])


@dataclass(frozen=True)
class Wanted:
    """A database or bucket, and how long it keeps its rows."""

    name: str
    retention_days: int


def wanted_databases(
    settings: Settings, retention_days: int, minutes_retention_days: int
) -> list[Wanted]:
    """What the services write to; one, kept for the longer time, where both have one name."""
    reports, minutes = settings.influx_databases
    if reports == minutes:
        return [Wanted(reports, max(retention_days, minutes_retention_days))]
    return [Wanted(reports, retention_days), Wanted(minutes, minutes_retention_days)]


async def set_up_store(
    settings: Settings,
    tokens_directory: Path,
    retention_days: int,
    minutes_retention_days: int = MINUTES_DAYS,
) -> None:
    """Databases or buckets, retention and tokens; changes nothing that is already right.

    Raises DependencyUnavailableError where the store does not answer and ConfigurationError
    where it refuses: the token, the organisation, or a setting of ours.
    """
    wanted = wanted_databases(settings, retention_days, minutes_retention_days)
    async with Operator(settings) as operator:
        ping = await operator.ask("GET", "/ping")
        version = ping.headers.get("X-Influxdb-Version", "unknown").removeprefix("v")
        if version.startswith("1."):
            await _databases(operator, tokens_directory, wanted)
        else:
            org_id = await _organisation(operator)
            buckets = {one.name: await _bucket(operator, org_id, one) for one in wanted}
            for name, bucket_id in buckets.items():
                await _mapping(operator, org_id, name, bucket_id)
            for role in ROLES:
                await _token(operator, org_id, buckets, role, tokens_directory / role)
    LOG.info("store %s is ready: InfluxDB %s", settings.influx_url, version)


async def _databases(operator: Operator, directory: Path, wanted: Sequence[Wanted]) -> None:
    """1.x: the databases with their retention, and a user for each role.

    The first user of a new 1.x server is made without a log-in: it has none to ask for yet.
    """
    settings = operator.settings
    login = None
    if settings.influx_username and settings.influx_password:
        secret = settings.influx_password.get_secret_value()
        login = Login(settings.influx_username, secret)
        await make_operator(operator.url, login)
    for one in wanted:
        length = f"DURATION {one.retention_days}d REPLICATION 1 SHARD DURATION {SHARD_DAYS}d"
        for statement in (
            f'CREATE DATABASE "{one.name}"',
            f'ALTER RETENTION POLICY "autogen" ON "{one.name}" {length} DEFAULT',
        ):
            body = await operator.must("POST", "/query", params={"q": statement})
            for result in body.get("results", []):
                if "error" in result:
                    raise _wrong("TWIN_INFLUX_DATABASE", str(result["error"]))
    if login is not None:
        for role in ROLES:
            await make_user(operator.url, login, role, [one.name for one in wanted], directory)


async def _organisation(operator: Operator) -> str:
    """2.x: identifier of the organisation that the settings name."""
    org = operator.settings.influx_org
    found = await operator.ask("GET", "/api/v2/orgs", params={"org": org})
    if found.status in {401, 403}:
        raise _wrong("TWIN_INFLUX_TOKEN_FILE", "the store refuses this token")
    orgs = _json(found).get("orgs", [])
    if not orgs:
        raise _wrong("TWIN_INFLUX_ORG", f"the store has no organisation {org!r}")
    org_id: str = orgs[0]["id"]
    return org_id


async def _bucket(operator: Operator, org_id: str, wanted: Wanted) -> str:
    """2.x: the bucket with its retention, made or brought to it; its identifier."""
    rules = [
        {
            "type": "expire",
            "everySeconds": wanted.retention_days * SECONDS_PER_DAY,
            "shardGroupDurationSeconds": SHARD_DAYS * SECONDS_PER_DAY,
        }
    ]
    query = {"orgID": org_id, "name": wanted.name}
    listed = await operator.must("GET", "/api/v2/buckets", params=query)
    for bucket in listed.get("buckets", []):
        kept = {rule["everySeconds"] for rule in bucket.get("retentionRules", [])}
        if kept != {rules[0]["everySeconds"]}:
            path = f"/api/v2/buckets/{bucket['id']}"
            await operator.must("PATCH", path, body={"retentionRules": rules})
        found: str = bucket["id"]
        return found
    body = {"orgID": org_id, "name": wanted.name, "retentionRules": rules}
    made: str = (await operator.must("POST", "/api/v2/buckets", body=body))["id"]
    return made


async def _mapping(operator: Operator, org_id: str, name: str, bucket_id: str) -> None:
    """2.x: the database of this name is this bucket for `/write` and InfluxQL.

    From 2.4 on a bucket is a database by itself ("virtual"), unless somebody has mapped that name;
    the first default of those listed is the one in force (influxdb, dbrp/service.go).
    """
    query = {"orgID": org_id, "db": name}
    listed = (await operator.must("GET", "/api/v2/dbrps", params=query)).get("content") or []
    in_force = next((one for one in listed if one.get("default")), None)
    if in_force is not None and in_force["bucketID"] == bucket_id:
        return
    if in_force is not None:
        message = f"database {name} is mapped to bucket {in_force['bucketID']}, not to its own"
        raise _wrong("TWIN_INFLUX_DATABASE", f"{message}; remove that mapping or use another name")
    for one in listed:
        if one["bucketID"] == bucket_id:
            change = {"retention_policy": one["retention_policy"], "default": True}
            path = f"/api/v2/dbrps/{one['id']}"
            await operator.must("PATCH", path, params={"orgID": org_id}, body=change)
            return
    wanted = {
        "orgID": org_id,
        "bucketID": bucket_id,
        "database": name,
        "retention_policy": "autogen",
        "default": True,
    }
    await operator.must("POST", "/api/v2/dbrps", body=wanted)


async def _token(
    operator: Operator, org_id: str, buckets: Mapping[str, str], role: str, path: Path
) -> None:
    """A role's token for the buckets, in a file; kept while the store takes it for all."""
    if path.exists() and await _works(operator, buckets, role, path.read_text().strip()):
        return
    label = f"twin {role} {operator.settings.influx_database}"
    listed = await operator.must("GET", "/api/v2/authorizations", params={"orgID": org_id})
    for old in listed.get("authorizations", []):
        if old.get("description") == label:
            await operator.must("DELETE", f"/api/v2/authorizations/{old['id']}")
    resources = [{"type": "buckets", "id": one, "orgID": org_id} for one in buckets.values()]
    wanted = {
        "orgID": org_id,
        "description": label,
        "permissions": [
            {"action": action, "resource": resource}
            for action in ROLES[role]
            for resource in resources
        ],
    }
    # The text of a token is given once, at its creation; from 2.9 on it is stored as a hash.
    made = await operator.must("POST", "/api/v2/authorizations", body=wanted)
    write_secret(path, made["token"] + "\n")


async def _works(operator: Operator, buckets: Iterable[str], role: str, token: str) -> bool:
    """Whether the store takes the token, by using it; writing nothing writes nothing."""
    for name, action in product(buckets, ROLES[role]):
        if action == "read":
            query = {"db": name, "q": "SHOW MEASUREMENTS LIMIT 1"}
            answer = await operator.ask("GET", "/query", params=query, token=token)
        else:
            target = {"bucket": name, "org": operator.settings.influx_org}
            answer = await operator.ask("POST", "/api/v2/write", params=target, token=token)
        if not token or answer.status in {401, 403, 404}:
            return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the store is ready; 69 where it does not answer, 78 where it refuses."""
    parser = argparse.ArgumentParser(prog="python -m services.store_setup", description=__doc__)
    parser.add_argument("--tokens-directory", type=Path, default=Path("secrets"))
    parser.add_argument("--retention-days", type=int, default=7, help="of reports")
    parser.add_argument(
        "--retention-1m-days", type=int, default=MINUTES_DAYS, help="of roll-ups over a minute"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    try:
        settings = load_settings()
        lengths = options.retention_days, options.retention_1m_days
        asyncio.run(set_up_store(settings, options.tokens_directory, *lengths))
    except TwinError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
