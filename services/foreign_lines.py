"""Line protocol of publishers that are not ours: read, checked against the dictionary, rewritten.

Telegraf with `data_format = "influx"` sends such lines, many in a message, with tags of its own.
What is stored is what we would have written: our tags, dictionary fields, floats as floats.
"""

import math
import re

from services.satellite_json import LATEST_NS, UNKNOWN_PLANE, line_of
from twin.channels import ACCEL_CHANNELS, ACCEL_MEASUREMENT, BUS_CHANNELS, BUS_MEASUREMENT
from twin.frames import TAG_VALUE

FIELDS = {
    BUS_MEASUREMENT: {channel.name: channel for channel in BUS_CHANNELS},
    ACCEL_MEASUREMENT: {channel.name: channel for channel in ACCEL_CHANNELS}
    | {channel.dcgm_name: channel for channel in ACCEL_CHANNELS if channel.dcgm_name},
}
INTEGER = re.compile(r"-?[0-9]{1,18}[iu]")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
LARGEST_STATE = 2**53
LONGEST_LINE = 64 * 1024


class LineError(ValueError):
    """A line that cannot be stored; the text says why."""


def own_row(line: bytes, fleet: str) -> tuple[str, bytes]:
    """Satellite and row as we write it. Raises LineError."""
    if len(line) > LONGEST_LINE:
        raise LineError(f"longer than {LONGEST_LINE} bytes")
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError:
        raise LineError("not ASCII") from None
    if '"' in text or "\\" in text or "\r" in text or "\0" in text:
        raise LineError("text or escapes: only numbers are telemetry")
    parts = text.split(" ")
    if len(parts) != 3:
        raise LineError("not `measurement,tags fields stamp`")
    measurement, *pairs = parts[0].split(",")
    if measurement not in FIELDS:
        raise LineError(f"unknown measurement {measurement[:64]}")
    tags = _pairs(pairs)
    if tags.get("fleet", fleet) != fleet:
        raise LineError("of another fleet than its topic")
    if "sat" not in tags:
        raise LineError("no tag sat")
    head = f"{measurement},fleet={fleet},plane={tags.get('plane', UNKNOWN_PLANE)},sat={tags['sat']}"
    if measurement == ACCEL_MEASUREMENT:
        if not tags.get("accel", "").isdigit():
            raise LineError("no tag accel with a number")
        head += f",accel={int(tags['accel'])}"
    values = {name: _value(measurement, name, text) for name, text in _fields(parts[1])}
    return tags["sat"], line_of(head, values, _stamp(parts[2])).encode()


def _pairs(pairs: list[str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name in tags:
            raise LineError(f"tag {name[:64]} twice")
        if not TAG_VALUE.fullmatch(value):
            raise LineError(f"tag {name[:64]}: only letters, digits and _ . : - are allowed")
        tags[name] = value
    return tags


def _fields(text: str) -> list[tuple[str, str]]:
    found = [(name, value) for name, _, value in (p.partition("=") for p in text.split(","))]
    if len({name for name, _ in found}) != len(found):
        raise LineError("a field twice")
    return found


def _value(measurement: str, name: str, text: str) -> float | int:
    channel = FIELDS[measurement].get(name)
    if channel is None:
        raise LineError(f"unknown channel {name[:64]}")
    if INTEGER.fullmatch(text):
        value: float = int(text[:-1])
    elif NUMBER.fullmatch(text) and math.isfinite(float(text)):
        value = float(text)
    else:
        raise LineError(f"{name}: not a finite number")
    if channel.is_integer and (value != int(value) or abs(value) > LARGEST_STATE):
        raise LineError(f"{name}: a state is a whole number")
    return value


def _stamp(text: str) -> int:
    if not text.isdigit() or len(text) > 19 or int(text) > LATEST_NS:
        raise LineError("stamp: whole nanoseconds from 1970 to 2262")
    return int(text)
