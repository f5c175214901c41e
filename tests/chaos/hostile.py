"""Messages that nobody can use: known tricks by name, and as many more as a seed is asked for.

Each has a topic of its own, so that its dead letter can be told from every other. All are wrong
by construction, not by what our own reader says of them.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import orjson

from services.topics import Topics
from twin.frames import FRAME_VERSION, HEADER_PREFIX, FrameHeader, batch

EVIL = Topics("evil")
TIME_NS = 1_790_000_000_000_000_000
RETAIN, DUPLICATE, QOS_2 = 0x03, 0x0A, 0x04
ILLEGAL = (",", "=", " ", '"', "\\", "\n", "\r", "\t", "#", "\0", "é", "\u2028", "'", "{", "/")


@dataclass(frozen=True)
class Hostile:
    """One message; `flags` as in the first byte of an MQTT PUBLISH."""

    name: str
    topic: str
    payload: bytes
    flags: int = 0x02


def row(shard: str, satellite: str | None = None, cells: str = "a=1.0", stamp: str = "") -> bytes:
    """A row of the evil fleet, without its line end."""
    tags = f"fleet=evil,plane=p,sat={satellite or f'x{shard}'}"
    return f"sat_state,{tags} {cells} {stamp or TIME_NS}".encode()


def header(shard: str) -> FrameHeader:
    """A header that is as it must be."""
    return FrameHeader(FRAME_VERSION, "evil", "run", shard, 0, 0, TIME_NS, 1, 0, 0)


def frame(shard: str, body: bytes) -> bytes:
    """A batch whose header says of this body what is true."""
    return batch(header(shard), body)


def told(shard: str, /, **changes: object) -> bytes:
    """A good body under a header with wrong fields; None takes one away."""
    good = frame(shard, row(shard) + b"\n")
    first, _, body = good.partition(b"\n")
    fields = orjson.loads(first[len(HEADER_PREFIX) :]) | changes
    kept = {name: value for name, value in fields.items() if value is not None}
    return HEADER_PREFIX + json.dumps(kept).encode() + b"\n" + body


def document(satellite: str, /, **changes: object) -> dict[str, object]:
    """One satellite's telemetry as JSON, with wrong fields."""
    fine: dict[str, object] = {
        "sat": satellite,
        "t_ns": TIME_NS,
        "values": {"eps_soc_pct": 50.0},
    }
    return {name: value for name, value in (fine | changes).items() if value is not None}


def _batches(shard: str) -> dict[str, bytes]:
    good = frame(shard, row(shard) + b"\n")
    head, _, body = good.partition(b"\n")
    return {
        "empty": b"",
        "one byte": b"#",
        "invalid UTF-8": b"\xff\xfe" + good,
        "byte order mark": b"\xef\xbb\xbf" + good,
        "NUL first": b"\0" + good,
        "NULs": bytes(500),
        "header cut short": head[:20],
        "body cut short": good[:-9],
        "64 KiB and one": b"A" * 65_537,
        "header that is a list": HEADER_PREFIX + b"[1]\n" + body,
        "header that is no JSON": HEADER_PREFIX + b"{v:1}\n" + body,
        "200,000 brackets": HEADER_PREFIX + b"[" * 200_000,
        "missing field": told(shard, crc32=None),
        "extra field": told(shard, admin=1),
        "truth as number": told(shard, seq=True),
        "negative number": told(shard, seq=-1),
        "number beyond 64 bits": told(shard, seq=2**63),
        "number of 5,000 digits": good.replace(b'"seq":0', b'"seq":' + b"9" * 5000),
        "number that is not whole": told(shard, seq=1.5),
        "number as text": told(shard, seq="0"),
        "not a number": told(shard, seq=float("nan")),
        "base beyond all numbers": told(shard, base=2**60),
        "negative base": told(shard, base=-1),
        "negative frames": told(shard, frames=-5),
        "more late than frames": told(shard, late=2),
        "key twice": good.replace(b'"v":1', b'"v":1,"v":99', 1),
        "a version to come": told(shard, v=FRAME_VERSION + 1),
        "lines that are not there": told(shard, lines=9),
        "wrong checksum": told(shard, crc32=1),
        "another fleet's header": told(shard, fleet="thousand"),
        "another shard's header": told(shard, shard="s0001"),
        "another fleet's row": frame(shard, row(shard).replace(b"evil", b"thousand") + b"\n"),
        "row of nobody": frame(shard, b"sat_state,fleet=evil a=1.0 1\n"),
        "row with text": frame(shard, row(shard, cells='a="x"') + b"\n"),
        "row with an escape": frame(shard, row(shard, "a\\ b") + b"\n"),
        "stamp that is not whole": frame(shard, row(shard, stamp="1.5") + b"\n"),
        "no stamp": frame(shard, row(shard).rpartition(b" ")[0] + b"\n"),
        "stamp of 40 digits": frame(shard, row(shard, stamp="9" * 40) + b"\n"),
        "stamp beyond 2262": frame(shard, row(shard, stamp="9" * 19) + b"\n"),
        "blank line": frame(shard, b"\n" + row(shard) + b"\n"),
        "carriage return": frame(shard, row(shard) + b"\r\n"),
        "tag twice": frame(shard, row(shard, "x,sat=Sat1") + b"\n"),
        "value that is none": frame(shard, row(shard, cells="a=1.2.3") + b"\n"),
        "no fields": frame(shard, row(shard, cells="") + b"\n"),
        "compressed bomb": gzip.compress(bytes(10_000_000)),
        "retained": b"retained",
        "sent twice": b"sent twice",
        "QoS 2": b"exactly once",
    }


FLAGS = {"retained": RETAIN, "sent twice": DUPLICATE, "QoS 2": QOS_2}


def _documents(satellite: str) -> dict[str, bytes]:
    def values(text: str) -> bytes:
        return json.dumps(document(satellite)).replace("50.0", text).encode()

    fine = json.dumps(document(satellite)).encode()
    changed: dict[str, dict[str, object]] = {
        "a list": {"values": []},
        "no time": {"t_ns": None},
        "extra field": {"admin": True},
        "time before 1970": {"t_ns": -1},
        "time after 2262": {"t_ns": 2**63},
        "time with a fraction": {"t_ns": 1.5},
        "another satellite": {"sat": "Sat1"},
        "unknown channel": {"values": {"no_such": 1.0}},
        "nothing": {"values": {}},
        "name with tags": {"sat": f"{satellite},sat=Sat1"},
        "name with a line": {"sat": f"{satellite}\nsat_state"},
    }
    found = {
        name: json.dumps(document(satellite, **more)).encode() for name, more in changed.items()
    }
    return found | {
        "empty": b"",
        "200,000 brackets": b"[" * 200_000,
        "root is a number": b"7",
        "invalid UTF-8": b'{"sat":"\xff"}',
        "byte order mark": b"\xef\xbb\xbf" + fine[:-1],
        "cut short": fine[:-5],
        "NaN": values("NaN"),
        "Infinity": values("Infinity"),
        "1e999": values("1e999"),
        "truth": values("true"),
        "text": values('"50"'),
        "5,000 digits": values("9" * 5000),
        "key twice": fine.replace(b'"sat"', b'"sat":1,"sat":"Sat1","x"', 1),
    }


def _lines() -> dict[str, bytes]:
    fine = f"sat_state,sat=SOURCE eps_soc_pct=50.0 {TIME_NS}".encode()
    return {
        "empty": b"",
        "only remarks": b"# nothing\n",
        "no tags": b"sat_state eps_soc_pct=50.0 1",
        "unknown measurement": fine.replace(b"sat_state", b"passwd"),
        "unknown field": fine.replace(b"eps_soc_pct", b"no_such"),
        "not a number": fine.replace(b"50.0", b"NaN"),
        "text": fine.replace(b"50.0", b'"50"'),
        "NUL": fine.replace(b"50.0", b"5\x000"),
        "invalid UTF-8": fine.replace(b"50.0", b"\xff"),
        "a tag that has none": fine.replace(b"SOURCE", b""),
        "2 MB and one": b"x" * 2_000_001,
        "stamp of 40 digits": fine.replace(str(TIME_NS).encode(), b"9" * 40),
    }


def named_cases() -> list[Hostile]:
    """Tricks that have worked somewhere, each on a topic of its own."""
    found = []
    for number, name in enumerate(_batches("s0000"), 1000):
        shard = f"s{number}"
        payload, flags = _batches(shard)[name], FLAGS.get(name, 0x02)
        found.append(Hostile(f"batch: {name}", EVIL.telemetry(shard), payload, flags))
    for number, name in enumerate(_documents("x")):
        satellite = f"d{number}"
        payload = _documents(satellite)[name]
        found.append(Hostile(f"document: {name}", EVIL.mirror(satellite), payload))
    for number, (name, payload) in enumerate(_lines().items()):
        mine = payload.replace(b"SOURCE", b"l%d" % number)
        found.append(Hostile(f"lines: {name}", EVIL.lines(f"l{number}"), mine))
    long = "x" * 60_000
    found += [
        Hostile("topic with an empty level", Topics("").telemetry("s2000"), b"x"),
        Hostile("topic of 60,000 letters", Topics(long).telemetry("s2001"), b"x"),
        Hostile("topic of tags", Topics("evil,sat=Sat1").telemetry("s2002"), b"x"),
        Hostile("zero bytes, retained", EVIL.telemetry("s2003"), b"", RETAIN),
    ]
    return found


def generated(seed: int, count: int) -> Iterator[Hostile]:
    """As many more, drawn from the seed."""
    random = Random(seed)
    kinds = (_noise, _damaged, _wrong_header, _injected, _wrong_document, _wrong_line)
    for number in range(count):
        kind = random.choice(kinds)
        yield kind(random, number)


def _noise(random: Random, number: int) -> Hostile:
    shard = f"s{10_000 + number}"
    return Hostile("noise", EVIL.telemetry(shard), random.randbytes(random.randint(1, 300)))


def _damaged(random: Random, number: int) -> Hostile:
    """A byte of the body that is another, is gone, or is too many: the checksum sees each."""
    shard = f"s{10_000 + number}"
    good = frame(shard, row(shard) + b"\n")
    at = random.randrange(good.index(b"\n") + 1, len(good))
    middle = [
        bytes([good[at] ^ random.randint(1, 255)]),
        b"",
        good[at : at + 1] + random.randbytes(1),
    ]
    payload = good[:at] + random.choice(middle) + good[at + 1 :]
    return Hostile("damaged", EVIL.telemetry(shard), payload)


def _wrong_header(random: Random, number: int) -> Hostile:
    shard = f"s{10_000 + number}"
    junk = random.choice([None, True, -1, 1.5, "x", [], {}, 2**64, "s0000", -(2**40)])
    field = random.choice(["v", "seq", "base", "frames", "lines", "crc32", "shard", "fleet"])
    return Hostile("header", EVIL.telemetry(shard), told(shard, **{field: junk}))


def _injected(random: Random, number: int) -> Hostile:
    shard, evil = f"s{10_000 + number}", random.choice(ILLEGAL)
    name = f"x{number}"
    at = random.randint(0, len(name))
    body = row(shard, name[:at] + evil + name[at:]) + b"\n"
    return Hostile("injected", EVIL.telemetry(shard), frame(shard, body))


def _wrong_document(random: Random, number: int) -> Hostile:
    satellite = f"g{number}"
    wrong = random.choice([None, True, "x", [1], {"a": 1}, 1e400, "", -1.5])
    field = random.choice(["sat", "t_ns", "values"])
    payload = json.dumps(document(satellite, **{field: wrong})).encode()
    if random.random() < 0.3:
        payload = payload[: random.randrange(len(payload))]
    return Hostile("document", EVIL.mirror(satellite), payload)


def _wrong_line(random: Random, number: int) -> Hostile:
    source = f"h{number}"
    fields = random.choice(["no_such=1", "eps_soc_pct=x", 'eps_soc_pct="1"', "eps_soc_pct", "=1"])
    stamp = random.choice([str(TIME_NS), "x", "1.5"])
    line = f"sat_state,sat={source} {fields} {stamp}".encode()
    return Hostile("line", EVIL.lines(source), line)


def on_topic(message: Hostile, payload: bytes) -> bool:
    """Whether a dead letter holds this message, at least the part of it that was wrong."""
    if payload == message.payload or payload[:4096] == message.payload[:4096]:
        return True
    return payload.rstrip(b"\r\n") in message.payload
