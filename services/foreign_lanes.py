"""Telemetry of satellites that we do not simulate: JSON documents, and line protocol of others.

Both are read value by value, checked against the dictionary and rewritten as our own rows, so that
nothing reaches the store that the dictionary does not know, and a row sent twice is one row.
"""

from services.batches import Batch
from services.foreign_lines import LineError, own_row
from services.mqtt import Message
from services.satellite_json import SatelliteJsonError, document_rows, read_document
from services.topics import Address
from twin.channels import BUS_MEASUREMENT
from twin.frames import TAG_VALUE

MESSAGE_LIMIT_BYTES = 2_000_000


class ForeignError(ValueError):
    """A message of which nothing can be stored; `kind` as in dead letters."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def document_batch(message: Message, address: Address, live_run: str | None) -> Batch:
    """The rows of a JSON document; none for the mirror of a run that comes in batches too.

    live_run: the run whose batches name this satellite, if there is one. Raises ForeignError.
    """
    _check_names(address)
    try:
        document = read_document(message.payload)
    except SatelliteJsonError as error:
        raise ForeignError("schema", str(error)) from None
    if document["sat"] != address.leaf:
        raise ForeignError("owner", f"document of {document['sat']} on another topic")
    if live_run is not None and document.get("run") == live_run:
        return Batch(message.topic, b"", 0, 0, message.acknowledge)
    body = document_rows(address.fleet, document)
    frames = int(body.startswith(BUS_MEASUREMENT.encode()))
    lines = body.count(b"\n")
    values = len(document["values"]) + sum(map(len, document["accelerators"].values()))
    return Batch(
        message.topic,
        body,
        frames,
        lines,
        message.acknowledge,
        time_ns=document["t_ns"],
        values=values,
    )


def lines_batch(message: Message, address: Address) -> tuple[Batch, set[str]]:
    """The good rows of foreign line protocol, the bad ones beside them; and the satellites named.

    Raises ForeignError.
    """
    _check_names(address)
    if len(message.payload) > MESSAGE_LIMIT_BYTES:
        raise ForeignError("schema", f"longer than {MESSAGE_LIMIT_BYTES} bytes")
    good: list[bytes] = []
    bad: list[tuple[bytes, str]] = []
    satellites: set[str] = set()
    for line in message.payload.split(b"\n"):
        if not line.strip() or line.startswith(b"#"):
            continue
        try:
            satellite, row = own_row(line.rstrip(b"\r"), address.fleet)
        except LineError as error:
            bad.append((line + b"\n", str(error)))
        else:
            satellites.add(satellite)
            good.append(row)
    if not good and not bad:
        raise ForeignError("schema", "no line of telemetry")
    frames = sum(row.startswith(BUS_MEASUREMENT.encode() + b",") for row in good)
    batch = Batch(
        message.topic,
        b"".join(good),
        frames,
        len(good),
        message.acknowledge,
        values=sum(row.split(b" ")[1].count(b"=") for row in good),
        refused=tuple(bad),
    )
    return batch, satellites


def _check_names(address: Address) -> None:
    for name in (address.fleet, address.leaf):
        if not TAG_VALUE.fullmatch(name):
            raise ForeignError("owner", "a topic with a name that no tag may have")
