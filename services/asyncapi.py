"""docs/asyncapi.yaml: every MQTT lane in AsyncAPI 3, made from the code that speaks it."""

from typing import Any

import yaml

from services.commands import Heal, Inject, LimitCompute, SafeMode
from services.satellite_json import NAME, document_model
from services.topics import Topics
from twin.frames import FRAME_VERSION, HEADER_PREFIX

FLEET, LEAF = "{fleet}", "{name}"
_HERE = "#/components/schemas/"


def asyncapi_document() -> dict[str, Any]:
    """The document as plain data."""
    schemas: dict[str, Any] = {}
    messages = {name: _message(name, row, schemas) for name, row in _MESSAGES.items()}
    channels = {name: _channel(name, row) for name, row in _CHANNELS.items()}
    operations = {
        f"{who}{name[0].upper()}{name[1:]}": {
            "action": "send" if who == "send" else "receive",
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": text,
        }
        for name, (_, _, _, who, text) in _CHANNELS.items()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Orbital Twin telemetry over MQTT",
            "version": str(FRAME_VERSION),
            "description": "Lanes of a fleet. QoS 1 throughout; MQTT 3.1.1 and 5. What may be "
            "sent by whom is in docs/security.md; channels and units are in docs/channels.md.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def asyncapi_page() -> str:
    """The document as YAML."""
    head = "# Generated from services/asyncapi.py and the dictionary by `make generate`.\n"
    return head + yaml.safe_dump(asyncapi_document(), sort_keys=False, width=100)


_LINES = "application/vnd.influx.line-protocol"
_TOPICS = Topics(FLEET)
_CHANNELS: dict[str, tuple[str, str, str, str, str]] = {
    # channel: topic, its last part, message, who, what it is for
    "batches": (
        _TOPICS.telemetry(LEAF), "shard", "batch", "receive",
        "Telemetry of one shard: rows of line protocol behind one comment line.",
    ),
    "satellite": (
        _TOPICS.mirror(LEAF), "satellite", "satelliteTelemetry", "receive",
        "One satellite's report: a mirror of chosen satellites, or one that is not simulated.",
    ),
    "lines": (
        _TOPICS.lines(LEAF), "source", "foreignLines", "send",
        "Line protocol of other publishers, such as Telegraf with data_format influx.",
    ),
    "states": (
        _TOPICS.state(LEAF), "satellite", "satelliteState", "receive",
        "Retained: the last known mode of one satellite, on change.",
    ),
    "commands": (
        _TOPICS.command(LEAF), "target", "command", "send",
        "A command to a satellite, a plane, or all; answered on the event lane.",
    ),
    "events": (_TOPICS.event(), "", "event", "receive", "What was done and what happened."),
    "alerts": (
        _TOPICS.alerts(), "", "alertStates", "receive",
        "Retained: rules that fire or are pending, on what and since when, as the watcher sees it.",
    ),
    "watermarks": (
        _TOPICS.watermark(LEAF), "shard", "watermark", "receive",
        "Retained: durable without a gap up to this number; a publisher keeps what is later.",
    ),
    "parts": (
        _TOPICS.part(LEAF), "process", "rollupPart", "receive",
        "Between the processes of one run: what each gives to the roll-ups of the whole fleet.",
    ),
    "services": (
        _TOPICS.service(LEAF), "service", "serviceState", "receive",
        "Retained: a service and its counters; its last will says offline.",
    ),
}  # fmt: skip

_MESSAGES: dict[str, tuple[str, Any]] = {
    "batch": (
        _LINES,
        {
            "type": "string",
            "description": f"First line `{HEADER_PREFIX.decode()}` and JSON with v, fleet, run, "
            "shard, seq, base, t_ns, frames, lines, crc32 (of the rest) and late; then rows.",
        },
    ),
    "satelliteTelemetry": ("application/json", document_model()),
    "foreignLines": (
        _LINES,
        {
            "type": "string",
            "description": "Rows of sat_state (tag sat) and accel_state (tags sat, accel), fields "
            "named as in docs/channels.md, stamps in nanoseconds; numbers only.",
        },
    ),
    "satelliteState": ("application/json", {"type": "object", "required": ["sat", "t_ns"]}),
    "command": ("application/json", (LimitCompute, Inject, Heal, SafeMode)),
    "event": ("application/json", {"type": "object", "required": ["kind", "t_ns"]}),
    "alertStates": ("application/json", {"type": "object", "required": ["t_ns", "alerts"]}),
    "rollupPart": (
        "application/octet-stream",
        {"type": "string", "description": "One line of JSON, then numbers as bytes."},
    ),
    "watermark": (
        "application/json",
        {
            "type": "object",
            "required": ["run", "seq"],
            "properties": {"run": {"type": "string"}, "seq": {"type": "integer", "minimum": -1}},
        },
    ),
    "serviceState": (
        "application/json",
        {
            "type": "object",
            "required": ["service", "state"],
            "properties": {
                "service": {"type": "string"},
                "state": {"enum": ["online", "draining", "offline"]},
            },
        },
    ),
}


def _channel(name: str, row: tuple[str, str, str, str, str]) -> dict[str, Any]:
    topic, leaf, message, _, text = row
    named = f"{{{leaf}}}" if leaf else ""
    parameters = {"fleet": {"description": f"letters, digits, _ . : - ({NAME})"}}
    if leaf:
        parameters[leaf] = {"description": f"name of the {leaf}"}
    return {
        "address": topic.replace(LEAF, named),
        "title": name,
        "description": text,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "parameters": parameters,
    }


def _message(name: str, row: tuple[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    content_type, given = row
    return {"name": name, "contentType": content_type, "payload": _schema(given, schemas)}


def _schema(given: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of a model, of one of several, or as it is; parts go into `schemas`."""
    if isinstance(given, dict):
        return given
    if isinstance(given, tuple):
        return {"oneOf": [_schema(one, schemas) for one in given]}
    schema = given.model_json_schema(ref_template=_HERE + "{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[given.__name__] = schema
    return {"$ref": _HERE + given.__name__}
