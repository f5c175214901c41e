"""Command-line words into numbers; a wrong one is named with what is allowed."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

Duration = float
SECONDS_PER_UNIT = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
EpochOption = Annotated[
    str | None,
    typer.Option(help="Start of simulated time: `now` or ISO 8601 UTC. [default: the scenario's]"),
]
ScenarioArgument = Annotated[
    str | None,
    typer.Argument(help="A scenario file or the name of a shipped one. [default: flown-2026]"),
]
ScenarioOption = Annotated[
    str | None,
    typer.Option("--scenario", "-s", help="A scenario file or the name of a shipped one."),
]
DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?")


def parse_duration(text: str) -> Duration:
    """Seconds of `90`, `60s`, `10m`, `2h` or `1d`; more than 0."""
    match = DURATION.fullmatch(str(text).strip())
    seconds = float(match[1]) * SECONDS_PER_UNIT[match[2] or "s"] if match else 0.0
    if seconds <= 0.0:
        raise typer.BadParameter(f"{text!r}: a time above 0 such as 60s, 10m, 2h or 1d")
    return seconds


def parse_epoch(text: str) -> float | None:
    """UTC seconds since 1970 of ISO 8601 or Unix seconds; None for `now`. Raises ValueError."""
    if text == "now":
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r}: `now` or ISO 8601 UTC such as 2026-05-01T00:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def parse_instant(text: str, name: str) -> float:
    """UTC seconds since 1970 of an option's instant; a wrong one is named with the option."""
    try:
        found = parse_epoch(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from None
    if found is None:
        raise typer.BadParameter("an instant, ISO 8601 UTC, not `now`", param_hint=name)
    return found


def parse_shard(text: str) -> tuple[int, int]:
    """Part and number of parts of `0/2`: the first of two. Raises BadParameter.

    Counted from 0, as orchestrators number their replicas.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    index, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if index >= count:
        message = f"{text!r}: k/n with k from 0 to n - 1, such as 0/2"
        raise typer.BadParameter(message, param_hint="--shard")
    return index, count
