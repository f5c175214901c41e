"""Frames on the wire: batches of line protocol, one batch per shard and report time.

A batch is bytes. Its first line is a comment of line protocol (`#twin {json}`), so every
line-protocol reader skips it, and the ingester can check the batch without parsing a value:
who sent it (fleet, run, shard), which one it is (seq), what it holds (frames, lines) and
whether it arrived whole (crc32). Every other line is one row of one measurement.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
import orjson
from isal.isal_zlib import crc32
from numpy.typing import NDArray

from twin.channels import Channel
from twin.state import FloatArray, IntArray

FRAME_VERSION = 1
HEADER_PREFIX = b"#twin "
ROLLUP_SHARD = "rollup"  # the shard of roll-ups; here, because who reads batches needs no physics
NEWLINE = 10
TAG_VALUE = re.compile(r"[A-Za-z0-9_.:-]+")
"""What an identifier may be made of, so that no tag ever needs escaping."""


NUMBERS_END = 2**53
"""Beyond it JSON readers that use doubles take two numbers for one (RFC 8259, section 6)."""


class FrameError(ValueError):
    """A batch that cannot be trusted; the text says why."""


@dataclass(frozen=True)
class FrameHeader:
    """First line of a batch."""

    v: int
    fleet: str
    run: str  # identifies (scenario, seed, epoch): sequence numbers only compare inside one run
    shard: str
    seq: int
    base: int  # the publisher owes nothing below this number
    t_ns: int
    frames: int  # rows of measurement sat_state: satellites that report in this batch
    lines: int
    crc32: int
    late: int = 0  # of the frames, those played back after a gap in contact


def batch(header: FrameHeader, body: bytes, lines: int | None = None) -> bytes:
    """Header line and body; `crc32` and `lines`, where they are not counted yet, are filled in."""
    count = rows_count(body) if lines is None else lines
    header = replace(header, lines=count, crc32=crc32(body))
    return HEADER_PREFIX + orjson.dumps(header) + b"\n" + body


def rows_count(body: bytes) -> int:
    """Lines of a body; numpy counts one character ten times as fast as `bytes.count`."""
    return int(np.count_nonzero(np.frombuffer(body, dtype=np.uint8) == NEWLINE))


def with_base(payload: bytes, base: int) -> bytes:
    """The same batch, saying that the publisher owes nothing below `base` by now."""
    end = payload.index(b"\n")
    header = orjson.loads(payload[len(HEADER_PREFIX) : end])
    if header["base"] == base:
        return payload
    # A view: the rows, half a megabyte of them, are copied once.
    return b"".join(
        [HEADER_PREFIX, orjson.dumps(header | {"base": base}), memoryview(payload)[end:]]
    )


def open_batch(payload: bytes) -> tuple[FrameHeader, bytes]:
    """Header and body of a batch after its checks; who reads its rows counts them.

    Raises FrameError for a missing or foreign header, another version, a number out of range, an
    end that is not a row's, a checksum that does not fit.
    """
    first, _, body = payload.partition(b"\n")
    if not first.startswith(HEADER_PREFIX):
        raise FrameError("no #twin header")
    try:
        header = FrameHeader(**orjson.loads(first[len(HEADER_PREFIX) :]))
    except (orjson.JSONDecodeError, TypeError) as error:
        raise FrameError(f"unreadable header: {error}") from None
    for name, kind in FrameHeader.__annotations__.items():
        if type(getattr(header, name)) is not kind:
            raise FrameError(f"header field {name} is not {kind.__name__}")
    if header.v != FRAME_VERSION:
        raise FrameError(f"version {header.v}, this reader knows {FRAME_VERSION}")
    for name in ("seq", "base", "frames"):
        if not 0 <= getattr(header, name) < NUMBERS_END:
            raise FrameError(f"header field {name} is {getattr(header, name)}, not 0 to 2^53 - 1")
    if not 0 <= header.late <= header.frames:
        raise FrameError(f"{header.late} late frames of {header.frames}")
    # Nobody in contact: an empty batch keeps the count of batches.
    if not (body.endswith(b"\n") if header.lines else not body):
        raise FrameError(f"no end of a row where the header says {header.lines} lines")
    if header.crc32 != crc32(body):
        raise FrameError("checksum differs")
    return header, body


def row_template(measurement: str, tags: dict[str, str]) -> bytes:
    """The constant head of a row: `measurement,tag=value,...`.

    Raises ValueError for a tag value that would need escaping.
    """
    for key, value in tags.items():
        if not TAG_VALUE.fullmatch(value):
            raise ValueError(f"tag {key}={value!r}: only letters, digits and _ . : - are allowed")
    return ",".join([measurement, *(f"{key}={value}" for key, value in tags.items())]).encode()


@dataclass(frozen=True)
class FieldLayout:
    """Fields of one measurement in wire order: floats first, then integers.

    The order lets one row be printed as two joined lists of numbers.
    """

    floats: tuple[str, ...]
    integers: tuple[str, ...]
    decimals: NDArray[np.int64]  # of the floats

    @classmethod
    def of(cls, channels: Sequence[Channel], vendor: str = "") -> "FieldLayout":
        """Layout of these channels as a satellite of this vendor names them."""
        floats = [channel for channel in channels if not channel.is_integer]
        return cls(
            floats=tuple(channel.field_name(vendor) for channel in floats),
            integers=tuple(c.field_name(vendor) for c in channels if c.is_integer),
            decimals=np.array([channel.decimals for channel in floats], dtype=np.int64),
        )

    def template(self, present: NDArray[np.bool_]) -> bytes:
        """`name=%b,...` of the floats that are present; integers always, with the suffix `i`."""
        cells = [f"{name}=%b" for name in compress(self.floats, present)]
        cells += [f"{name}=%bi" for name in self.integers]
        return ",".join(cells).encode()


def encode_rows(
    heads: Sequence[bytes], layout: FieldLayout, floats: FloatArray, integers: IntArray, t_ns: int
) -> bytes:
    """Line protocol of one measurement.

    heads (rows,), floats (rows, len(layout.floats)) rounded to their resolution, integers
    (rows, len(layout.integers)). NaN means "sensor lost" and leaves the field out. orjson
    prints the numbers (shortest text that reads back to the same float), which is several
    times faster than formatting each one; rows that lack the same fields share a template.
    `twin/compiled/text.py` prints the same bytes for large fleets.
    """
    if not heads:
        return b""
    scale = 10.0**layout.decimals
    with np.errstate(over="ignore"):
        rounded = np.round(floats * scale) / scale
    real_cells = _cells(rounded)
    integer_cells = _cells(integers) if layout.integers else [b""] * len(heads)
    present = np.isfinite(rounded)  # a number too large to be rounded is lost too
    masks = np.packbits(present, axis=1)
    templates: dict[bytes, bytes] = {}
    stamp = b" " + str(t_ns).encode() + b"\n"
    rows = []
    for index, head in enumerate(heads):
        mask = masks[index].tobytes()
        template = templates.get(mask)
        if template is None:
            template = templates[mask] = layout.template(present[index])
        # The comma after the last float keeps `null,` whole there too.
        cells = (real_cells[index] + b",").replace(b"null,", b"") + integer_cells[index]
        rows.append(head + b" " + template % tuple(cells.removesuffix(b",").split(b",")))
    return stamp.join(rows) + stamp


def _cells(matrix: FloatArray | IntArray) -> list[bytes]:
    """Each row of a matrix as comma-separated numbers."""
    contiguous = np.ascontiguousarray(matrix)
    return orjson.dumps(contiguous, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].split(b"],[")
