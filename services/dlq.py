"""`twin dlq`: look at dead letters, try them again, throw them away."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from rich.console import Console
from rich.table import Table

from services.dead_letters import FILE_NAME, Letter, LetterFile
from services.journal import DiskError
from services.lanes import Lanes, RefusedMessageError
from services.mqtt import Message
from services.poison import Guard
from services.settings import Settings
from services.store import StoreUnavailableError, open_store
from twin.errors import ConfigurationError, DependencyUnavailableError, Problem

SHOWN_BYTES = 4096
STORE_PATIENCE_S = 10.0


@dataclass
class Replayed:
    """What became of the letters that were tried again."""

    stored: int = 0
    stayed: int = 0


def letter_file(settings: Settings) -> LetterFile:
    """The letters of the ingester with this state directory."""
    return LetterFile(settings.state_dir / FILE_NAME)


def list_letters(settings: Settings, *, as_json: bool) -> None:
    """One line per letter, oldest first."""
    console = Console(highlight=False)
    table = Table("id", "when (UTC)", "kind", "topic", "reason", "bytes", title="dead letters")
    count = 0
    for letter in letter_file(settings).read():
        count += 1
        if as_json:
            print(orjson.dumps(_facts(letter)).decode())  # noqa: T201
        else:
            when = datetime.fromtimestamp(letter.at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
            cells = (letter.kind, letter.topic, letter.reason[:80], f"{len(letter.payload):,}")
            table.add_row(str(letter.id), when, *cells)
    if not as_json:
        console.print(table if count else f"no dead letters in {letter_file(settings).path}")


def show_letter(settings: Settings, number: int) -> None:
    """A letter's facts, and its first 4 KiB."""
    letter = _chosen(settings, [number])[0]
    for name, value in _facts(letter).items():
        print(f"{name}: {value}")  # noqa: T201
    print()  # noqa: T201
    print(letter.payload[:SHOWN_BYTES].decode("utf-8", "backslashreplace"))  # noqa: T201


def purge_letters(settings: Settings, ids: list[int] | None) -> int:
    """Throw letters away, all of them if none is named; returns how many."""
    letters = _chosen(settings, ids)
    _remove(letter_file(settings), letters)
    return len(letters)


async def replay_letters(settings: Settings, ids: list[int] | None) -> Replayed:
    """Put letters through the ingester's checks and into the store again.

    A letter is forgotten only when the store has taken all of it, or when the rows that it
    refuses again are letters of their own. Raises DependencyUnavailableError with every letter
    that was not stored kept.
    """
    letters, file = _chosen(settings, ids), letter_file(settings)
    result = Replayed()
    if not letters:
        return result
    address = settings.store_url or settings.influx_url
    try:
        async with open_store(settings) as store:
            async with asyncio.timeout(STORE_PATIENCE_S):
                await store.prepare()
            guard, lanes = Guard(store), Lanes()
            for letter in letters:
                async with asyncio.timeout(STORE_PATIENCE_S):
                    await _replay(guard, lanes, file, letter, result)
    except (StoreUnavailableError, TimeoutError) as error:
        text = f"store {address}: {error or 'takes nothing'}; the letters are kept"
        raise DependencyUnavailableError(text) from None
    except DiskError as error:
        raise DependencyUnavailableError(f"{error}; the letters are kept") from None
    return result


async def _replay(
    guard: Guard, lanes: Lanes, file: LetterFile, letter: Letter, result: Replayed
) -> None:
    try:
        if letter.kind == "row":
            body = lanes.check_row(letter.topic, letter.payload)
        else:
            batch = lanes.check(Message(letter.topic, letter.payload, False, lambda: None))
            if batch is None or batch.refused:
                raise RefusedMessageError("schema", "not wholly a message of ours")
            body = batch.body
    except RefusedMessageError:
        result.stayed += 1
        return
    reason = await guard.write(body) if body else None
    if reason is not None:
        lines = body.splitlines(keepends=True)
        bad = await guard.isolate(lines, reason)
        if len(bad) == len(lines):
            result.stayed += 1
            return
        rows = [
            Letter(time.time(), "row", letter.topic, f"store refused: {why}", lines[index])
            for index, why in sorted(bad.items())
        ]
        file.add(rows)
        result.stayed += len(rows)
    file.remove([letter.id])
    result.stored += 1


def _chosen(settings: Settings, ids: list[int] | None) -> list[Letter]:
    """The letters named, or all. Raises ConfigurationError for one that is not there."""
    file = letter_file(settings)
    try:
        letters = list(file.read(ids))
    except DiskError as error:
        raise DependencyUnavailableError(str(error)) from None
    missing = set(ids or ()) - {letter.id for letter in letters}
    if missing:
        text = f"no letter {', '.join(map(str, sorted(missing)))}; see `twin dlq list`"
        raise ConfigurationError([Problem(str(file.path), None, "", text)])
    return letters


def _remove(file: LetterFile, letters: Iterable[Letter]) -> None:
    try:
        file.remove([letter.id for letter in letters])
    except DiskError as error:
        raise DependencyUnavailableError(str(error)) from None


def _facts(letter: Letter) -> dict[str, object]:
    return {
        "id": letter.id,
        "at": datetime.fromtimestamp(letter.at, tz=UTC).isoformat(),
        "kind": letter.kind,
        "topic": letter.topic,
        "reason": letter.reason,
        "bytes": len(letter.payload),
    }
