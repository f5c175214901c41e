"""One satellite's telemetry as JSON: for people, rule engines, and satellites that are not ours.

The schema is made from the dictionary. The simulator mirrors chosen satellites in it, and the
ingester takes it from whoever may write to `fleet/v1/<fleet>/sat/<sat>/tlm`.
"""

from functools import cache
from typing import Annotated, Any, Optional

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from twin.channels import (
    ACCEL_CHANNELS,
    ACCEL_MEASUREMENT,
    BUS_CHANNELS,
    BUS_MEASUREMENT,
    SAT_MINUTE_MEASUREMENT,
    Channel,
    by_name,
)
from twin.frames import TAG_VALUE

LATEST_NS = 2**63 - 1  # a store's stamp is a signed number of nanoseconds: up to the year 2262
NAME = f"^{TAG_VALUE.pattern}$"
UNKNOWN_PLANE = "unknown"


class SatelliteJsonError(ValueError):
    """A document that is not a satellite's telemetry; the text says where and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _field(channel: Channel) -> tuple[Any, Any]:
    meaning = f"{channel.label} [{channel.unit}]: {channel.meaning}"
    if channel.is_integer:
        meaning += " " + ", ".join(f"{key} = {name}" for key, name in channel.states.items())
        kind: Any = Annotated[int, Field(description=meaning, ge=-(2**53), le=2**53)]
    else:
        kind = Annotated[float, Field(description=meaning)]
    return (kind | None, None)


@cache
def document_model() -> type[BaseModel]:
    """The schema: values by channel, each of them optional, nothing that the dictionary lacks."""
    bus = _model("SatelliteValues", {c.name: _field(c) for c in BUS_CHANNELS})
    names = {c.name: _field(c) for c in ACCEL_CHANNELS}
    names |= {c.dcgm_name: _field(c) for c in ACCEL_CHANNELS if c.dcgm_name}
    accelerator = _model("AcceleratorValues", names)
    text = Annotated[str, Field(pattern=NAME, max_length=128)]
    time_ns = Annotated[int, Field(ge=0, le=LATEST_NS, description="on-board time, ns since 1970")]
    run = Annotated[str, Field(max_length=64, description="of a mirror: the simulator's run")]
    index = Annotated[str, Field(pattern="^[0-9]{1,4}$", description="of the accelerator")]
    return _model(
        "SatelliteTelemetry",
        {
            "sat": (text, ...),
            "plane": (text, UNKNOWN_PLANE),
            "t_ns": (time_ns, ...),
            "run": (Optional[run], None),  # noqa: UP045 - a value here, not an annotation
            "values": (bus, ...),
            "accelerators": (dict.__class_getitem__((index, accelerator)), {}),
        },
    )


def _model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    made: type[BaseModel] = create_model(name, __base__=_Strict, **fields)
    return made


def read_document(payload: bytes) -> dict[str, Any]:
    """A checked document; only the values that were given. Raises SatelliteJsonError."""
    try:
        document = document_model().model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "document"
        raise SatelliteJsonError(f"{place}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise SatelliteJsonError(f"document: {error}") from None
    found = document.model_dump(exclude_none=True)
    if not found["values"] and not any(found["accelerators"].values()):
        raise SatelliteJsonError("values: none")
    return found


def document_rows(fleet: str, document: dict[str, Any]) -> bytes:
    """Line protocol of a checked document, in the form of our own rows."""
    tags = f"fleet={fleet},plane={document['plane']},sat={document['sat']}"
    rows = [line_of(f"{BUS_MEASUREMENT},{tags}", document["values"], document["t_ns"])]
    for index, values in document["accelerators"].items():
        head = f"{ACCEL_MEASUREMENT},{tags},accel={int(index)}"
        rows.append(line_of(head, values, document["t_ns"]))
    return "".join(rows).encode()


def line_of(head: str, values: dict[str, float | int], time_ns: int) -> str:
    """One row; empty where there are no values. States are integers, all else floats."""
    if not values:
        return ""
    cells = [
        f"{name}={int(value)}i" if by_name()[name].is_integer else f"{name}={float(value)!r}"
        for name, value in values.items()
    ]
    return f"{head} {','.join(cells)} {time_ns}\n"


def documents_of(body: bytes, wanted: frozenset[str], run: str) -> dict[str, bytes]:
    """The mirror of chosen satellites in a batch: their rows as JSON, by satellite."""
    found: dict[str, dict[str, Any]] = {}
    for line in body.decode().splitlines():
        head, cells, stamp = line.split(" ")
        measurement, *pairs = head.split(",")
        tags = dict(pair.split("=") for pair in pairs)
        satellite = tags.get("sat")
        if satellite not in wanted or measurement == SAT_MINUTE_MEASUREMENT:
            continue
        assert satellite is not None
        values = {
            name: int(cell[:-1]) if cell.endswith("i") else float(cell)
            for name, cell in (pair.split("=") for pair in cells.split(","))
        }
        empty = {"sat": satellite, "plane": tags["plane"], "t_ns": int(stamp), "run": run}
        document = found.setdefault(satellite, empty | {"values": {}, "accelerators": {}})
        if measurement == BUS_MEASUREMENT:
            document |= {"values": values, "t_ns": int(stamp)}
        else:
            document["accelerators"][tags["accel"]] = values
    return {satellite: orjson.dumps(document) for satellite, document in found.items()}
