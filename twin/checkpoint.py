"""The whole state of a run as bytes and back: versioned, checksummed, in any order of satellites.

    magic (8 bytes) | SHA-256 of the rest (32) | header length (8, little endian) | header | arrays

The header is JSON: run, tick, notes, and name, dtype and shape of every array; arrays are raw,
little endian, C order. Nothing is pickled, so reading an untrusted file executes nothing. A
satellite is found again by its key, so a checkpoint of the whole fleet starts any shard of it, and
the checkpoints of shards start the whole.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from twin.errors import TwinError
from twin.state import Fleet, FleetState, FloatArray, IntArray, KeyArray

MAGIC: Final = b"TWINCKP1"
VERSION: Final = 5
_DIGEST_BYTES: Final = 32
_KINDS: Final = ("<f8", "<i8", "<u8", "|b1", "|u1")
_STATE: Final = "state."
_EXTRA: Final = "extra."
_WHOLE: Final = "whole."
_HELD_SIZE: Final = "held.size"
_HELD_BYTES: Final = "held.bytes"


class CheckpointError(TwinError):
    """A checkpoint that cannot be used; the text says why."""

    exit_code = 78


@dataclass(frozen=True)
class Checkpoint:
    """State after a tick, and whose it is."""

    run_id: str
    tick: int
    satellite_key: KeyArray  # (n,) in the order of the state
    accel_count: IntArray  # (n,)
    state: FleetState
    extra: Mapping[str, FloatArray] = field(default_factory=dict)  # (n,) what a service adds
    held: tuple[bytes, ...] = ()  # (n,) reports waiting on board each satellite; () = none at all
    notes: str = ""  # of the run as a whole: the commands it has obeyed
    whole: Mapping[str, FloatArray] = field(default_factory=dict)  # what concerns no one satellite


def checkpoint_of(
    run_id: str,
    tick: int,
    fleet: Fleet,
    state: FleetState,
    extra: Mapping[str, FloatArray] | None = None,
    held: tuple[bytes, ...] = (),
    notes: str = "",
    whole: Mapping[str, FloatArray] | None = None,
) -> Checkpoint:
    """The checkpoint of a fleet after a tick; arrays are shared, not copied."""
    accel_count, keys = fleet.params.accel_count, fleet.satellite_key
    return Checkpoint(run_id, tick, keys, accel_count, state, extra or {}, held, notes, whole or {})


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """Bytes of a checkpoint; equal checkpoints give equal bytes."""
    arrays = {"satellite_key": checkpoint.satellite_key, "accel_count": checkpoint.accel_count}
    named: dict[str, NDArray[Any]] = {name: np.asarray(value) for name, value in arrays.items()}
    for one in fields(FleetState):
        named[_STATE + one.name] = getattr(checkpoint.state, one.name)
    for name in sorted(checkpoint.extra):
        named[_EXTRA + name] = checkpoint.extra[name]
    for name in sorted(checkpoint.whole):
        named[_WHOLE + name] = checkpoint.whole[name]
    if checkpoint.held:
        named[_HELD_SIZE] = np.array([len(one) for one in checkpoint.held], dtype=np.int64)
        named[_HELD_BYTES] = np.frombuffer(b"".join(checkpoint.held), np.uint8)
    plain = {name: _little_endian(name, value) for name, value in named.items()}
    described = [[name, value.dtype.str, list(value.shape)] for name, value in plain.items()]
    header = orjson.dumps(
        {
            "version": VERSION,
            "run": checkpoint.run_id,
            "tick": checkpoint.tick,
            "notes": checkpoint.notes,
            "arrays": described,
        }
    )
    body = [len(header).to_bytes(8, "little"), header]
    body += [value.tobytes() for value in plain.values()]
    digest = hashlib.sha256()
    for part in body:
        digest.update(part)
    return b"".join([MAGIC, digest.digest(), *body])


def from_bytes(data: bytes) -> Checkpoint:
    """The checkpoint in these bytes.

    Raises CheckpointError: not a checkpoint, cut short, checksum differs, another version, or a
    state with other fields than this program's.
    """
    start = len(MAGIC) + _DIGEST_BYTES
    if data[: len(MAGIC)] != MAGIC:
        raise CheckpointError("not a checkpoint: it does not begin with TWINCKP1")
    if hashlib.sha256(memoryview(data)[start:]).digest() != data[len(MAGIC) : start]:
        raise CheckpointError("checkpoint is damaged: checksum differs")
    header_end = start + 8 + int.from_bytes(data[start : start + 8], "little")
    header = orjson.loads(data[start + 8 : header_end])
    if header["version"] != VERSION:
        raise CheckpointError(
            f"checkpoint of version {header['version']}, this program reads version {VERSION}"
        )
    arrays = _arrays(data, header_end, header["arrays"])
    wanted = {_STATE + one.name for one in fields(FleetState)}
    found = {name for name in arrays if name.startswith(_STATE)}
    if wanted != found:
        differing = ", ".join(sorted(wanted ^ found))
        raise CheckpointError(f"checkpoint of another program version; fields differ: {differing}")
    return Checkpoint(
        run_id=header["run"],
        tick=header["tick"],
        satellite_key=arrays["satellite_key"],
        accel_count=arrays["accel_count"],
        state=FleetState(**{name.removeprefix(_STATE): arrays[name] for name in wanted}),
        extra=_named(arrays, _EXTRA),
        held=_held(arrays),
        notes=header["notes"],
        whole=_named(arrays, _WHOLE),
    )


def _named(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, FloatArray]:
    return {n.removeprefix(prefix): value for n, value in arrays.items() if n.startswith(prefix)}


def _held(arrays: Mapping[str, NDArray[Any]]) -> tuple[bytes, ...]:
    if _HELD_SIZE not in arrays:
        return ()
    whole, end = arrays[_HELD_BYTES].tobytes(), np.cumsum(arrays[_HELD_SIZE]).tolist()
    return tuple(whole[begin:stop] for begin, stop in zip([0, *end], end, strict=False))


def taken(checkpoint: Checkpoint, fleet: Fleet) -> Checkpoint:
    """The part of a checkpoint that belongs to a fleet, in that fleet's order.

    Every row keeps its bytes. Raises CheckpointError for a satellite that is not in it or has
    another number of accelerators.
    """
    order = np.argsort(checkpoint.satellite_key, kind="stable")
    sorted_keys = checkpoint.satellite_key[order]
    place = np.searchsorted(sorted_keys, fleet.satellite_key)
    place = np.minimum(place, max(sorted_keys.size - 1, 0))
    known = np.zeros(fleet.count, dtype=np.bool_)
    if sorted_keys.size:
        known = sorted_keys[place] == fleet.satellite_key
    if not known.all():
        name = fleet.satellite_ids[int(np.flatnonzero(~known)[0])]
        raise CheckpointError(f"checkpoint does not hold satellite {name}")
    rows = order[place]
    unlike = np.flatnonzero(checkpoint.accel_count[rows] != fleet.params.accel_count)
    if unlike.size:
        name = fleet.satellite_ids[int(unlike[0])]
        raise CheckpointError(f"checkpoint has another number of accelerators for {name}")
    return _rows_of(checkpoint, rows)


def joined(parts: Sequence[Checkpoint]) -> Checkpoint:
    """Checkpoints of disjoint shards as one; what concerns no one satellite is the first's.

    Raises CheckpointError for another run or tick, other commands, or a satellite twice.
    """
    first = parts[0]
    if any(one.notes != first.notes for one in parts):
        raise CheckpointError("checkpoints that have obeyed different commands cannot be joined")
    if any((one.run_id, one.tick) != (first.run_id, first.tick) for one in parts):
        raise CheckpointError("checkpoints of different runs or ticks cannot be joined")

    def column(getter: str) -> NDArray[Any]:
        return np.concatenate([getattr(one, getter) for one in parts])

    keys = column("satellite_key")
    if np.unique(keys).size != keys.size:
        raise CheckpointError("checkpoints hold the same satellite twice")
    state = {
        one.name: np.concatenate([getattr(part.state, one.name) for part in parts])
        for one in fields(FleetState)
    }
    extra = {name: np.concatenate([part.extra[name] for part in parts]) for name in first.extra}
    held: list[bytes] = []
    if any(one.held for one in parts):
        for one in parts:
            held += one.held or (b"",) * one.satellite_key.size
    return Checkpoint(
        run_id=first.run_id,
        tick=first.tick,
        satellite_key=keys,
        accel_count=column("accel_count"),
        state=FleetState(**state),
        extra=extra,
        held=tuple(held),
        notes=first.notes,
        whole=first.whole,
    )


def _rows_of(checkpoint: Checkpoint, rows: IntArray) -> Checkpoint:
    state = state_rows(checkpoint.state, checkpoint.accel_count, rows)
    return replace(
        checkpoint,
        satellite_key=checkpoint.satellite_key[rows],
        accel_count=checkpoint.accel_count[rows],
        state=state,
        extra={name: value[rows] for name, value in checkpoint.extra.items()},
        held=tuple(checkpoint.held[row] for row in rows.tolist()) if checkpoint.held else (),
    )


def state_rows(state: FleetState, accel_count: IntArray, rows: IntArray) -> FleetState:
    """The rows of a state in the order given, their accelerators along with them.

    accel_count: (n,) of the state's fleet; fields whose names begin with accel_ are (m,).
    """
    flat = accelerator_index(accel_count, rows)
    chosen = {}
    for one in fields(FleetState):
        index = flat if one.name.startswith("accel_") else rows
        chosen[one.name] = getattr(state, one.name)[index]
    return FleetState(**chosen)


def accelerator_index(accel_count: IntArray, rows: IntArray) -> IntArray:
    """Indices into the flat accelerator axis of the given satellites, in their order."""
    first = np.cumsum(accel_count) - accel_count
    count = accel_count[rows]
    begin = np.cumsum(count) - count
    within = np.arange(int(count.sum())) - np.repeat(begin, count)
    return np.asarray(np.repeat(first[rows], count) + within, dtype=np.int64)


def _little_endian(name: str, value: NDArray[Any]) -> NDArray[Any]:
    plain = np.ascontiguousarray(value)
    plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    if plain.dtype.str not in _KINDS:
        raise CheckpointError(f"{name} has dtype {plain.dtype.str}; allowed: {', '.join(_KINDS)}")
    return plain


def _arrays(data: bytes, offset: int, described: Sequence[Any]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind, shape in described:
        if kind not in _KINDS:
            raise CheckpointError(f"{name} has dtype {kind}; allowed: {', '.join(_KINDS)}")
        dtype, count = np.dtype(kind), math.prod(shape)
        end = offset + count * dtype.itemsize
        if end > len(data):
            raise CheckpointError("checkpoint is cut short")
        # A copy: the state must be writable and must not keep the whole file alive.
        arrays[name] = np.frombuffer(data, dtype, count, offset).reshape(shape).copy()
        offset = end
    return arrays
