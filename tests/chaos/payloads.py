"""What comes in is hostile, or is refused by the store: the good is stored and the bad is kept."""

import json
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice

from bench import Bench, pipeline
from hostile import Hostile, generated, named_cases, on_topic
from kills import judged
from outcome import Outcome, Size
from raw_mqtt import Message, publish_all

from services.dead_letters import FILE_NAME, Letter, LetterFile
from services.journal import DiskError
from services.topics import Topics
from twin.frames import FRAME_VERSION, FrameHeader, batch

GOOD_PER_BAD = 10
WAVE = 4_000  # fewer than the dead letters that are kept at most
NAMED_MINIMUM = 40
QUEUE_LIMIT_S = 2.0
GOOD = Topics("good").telemetry("s0000")
START_NS = 1_790_000_000_000_000_000


def good_message(seq: int) -> bytes:
    """One row of a satellite that behaves."""
    row = b"sat_state,fleet=good,plane=p,sat=g1 a=%d.5 %d\n" % (seq, START_NS + seq)
    return batch(FrameHeader(FRAME_VERSION, "good", "r", "s0000", seq, 0, START_NS, 1, 0, 0), row)


def hostile_payloads(size: Size) -> Outcome:
    """R9: known tricks and generated ones, mixed one to ten with good messages."""
    outcome, count = Outcome(), 1_000_000 if size.nightly else size.payloads
    named = named_cases()
    names = f"{len(named)} named, {count:,} generated"
    outcome.must("payloads", len(named) >= NAMED_MINIMUM, names, f">= {NAMED_MINIMUM} named")
    run_s = 20.0 + count / 400.0
    with pipeline(size.seed, run_s=run_s, satellites=min(100, size.satellites)) as bench:
        bench.start()
        bench.until_ready()
        pid = bench.parts["ingest"].process
        missing: list[str] = []
        begun_s, sent = time.monotonic(), 0
        cases = chain(named, generated(size.seed, count))
        while wave := list(islice(cases, WAVE)):
            publish_all(bench.broker_port, _mixed(wave, sent))
            sent += len(wave)
            missing += _without_letter(bench, wave)
        took_s = time.monotonic() - begun_s
        messages = sent * (1 + GOOD_PER_BAD)
        outcome.figures.append(f"{messages:,} messages in {took_s:.0f} s")
        wrong = f"{len(missing)} of {sent:,} without a letter" + (
            f": {missing[:5]}" if missing else ""
        )
        outcome.must("every bad one is a dead letter", not missing, wrong, "0")
        stored = _count(bench, "\"fleet\" = 'good'", sent * GOOD_PER_BAD)
        outcome.must(
            "every good one is stored",
            stored == sent * GOOD_PER_BAD,
            f"{stored:,} of {sent * GOOD_PER_BAD:,}",
            "all",
        )
        evil = _count(bench, "\"fleet\" = 'evil'", 0)
        outcome.at_most("rows of the hostile", evil, 0.0, "")
        same = pid is bench.parts["ingest"].process and bench.parts["ingest"].is_running
        outcome.must("the ingester lives", same)
        return judged(bench, outcome, others=("good",))


def _mixed(wave: list[Hostile], first: int) -> Iterator[Message]:
    for number, case in enumerate(wave, first):
        yield case.topic, case.payload, case.flags
        for seq in range(number * GOOD_PER_BAD, (number + 1) * GOOD_PER_BAD):
            yield GOOD, good_message(seq)


def _without_letter(bench: Bench, wave: list[Hostile], limit_s: float = 40.0) -> list[str]:
    """Names of the cases that have become no dead letter; the letters are then forgotten."""
    waiting = {case.topic: case for case in wave}
    quiet_until_s = time.monotonic() + limit_s
    while waiting and time.monotonic() < quiet_until_s:
        letters = list(_letters(bench))
        for letter in letters:
            case = waiting.get(letter.topic)
            if case is not None and letter.reason and on_topic(case, letter.payload):
                del waiting[letter.topic]
        _forget(bench, letters)
        if letters:
            quiet_until_s = time.monotonic() + limit_s
        else:
            time.sleep(0.2)
    return [case.name for case in waiting.values()]


def _file(bench: Bench) -> LetterFile:
    return LetterFile(bench.home / "ingest" / FILE_NAME)


def _letters(bench: Bench) -> Iterator[Letter]:
    file = _file(bench)
    with suppress(DiskError):
        yield from file.read()
    file.close()


def _forget(bench: Bench, letters: Iterable[Letter]) -> None:
    file = _file(bench)
    with suppress(DiskError):
        file.remove([letter.id for letter in letters])
    file.close()


def _count(bench: Bench, where: str, wanted: int, limit_s: float = 60.0) -> int:
    """Rows of these satellites, once there are as many as wanted or no more come."""
    count, end_s = -1, time.monotonic() + limit_s
    while time.monotonic() < end_s:
        with suppress(OSError):
            found = bench.store.ask(f'SELECT count("a") FROM "sat_state" WHERE {where}')
            count = int(found[0]["values"][0][1]) if found else 0
        if count >= wanted:
            break
        time.sleep(0.3)
    return count


POISON_ROWS = 256
POISONS = {
    "an integer where numbers are": b"a=1i",
    "a value that is none": b"a=1.2.3",
    "a truth where numbers are": b"a=t",
}


def poison(size: Size) -> Outcome:
    """R10: rows that the store refuses, one in each batch, under load; then replayed."""
    outcome = Outcome()
    with pipeline(size.seed, run_s=60.0, satellites=size.satellites) as bench:
        bench.start()
        bench.until_ready()
        bench.until(8.0)  # the first ticks of a thousand are late without any poison
        publish_all(bench.broker_port, [_poisonous(0, None, b"")])
        _count_poison(bench, POISON_ROWS)
        slowest_s, writes = 0.0, bench.metric("store_errors_total", **{"class": "rejected"})
        for seq, cells in enumerate(POISONS.values(), 1):
            bad = bench.random.randrange(POISON_ROWS)
            publish_all(bench.broker_port, [_poisonous(seq, bad, cells)])
            fresh_s = bench.fresh_s(30.0)
            slowest_s = max(slowest_s, math.inf if fresh_s is None else fresh_s)
        good = POISON_ROWS + len(POISONS) * (POISON_ROWS - 1)
        stored = _count_poison(bench, good)
        outcome.must("good rows of the batches", stored == good, f"{stored} of {good}", "all")
        letters = [letter for letter in _letters(bench) if letter.kind == "row"]
        whole = len(letters) == len(POISONS) and all(letter.reason for letter in letters)
        outcome.must("dead letters", whole, str(len(letters)), str(len(POISONS)))
        refused = bench.metric("store_errors_total", **{"class": "rejected"}) - writes
        limit = len(POISONS) * (2 * math.ceil(math.log2(POISON_ROWS)) + 2)
        outcome.at_most("writes that were refused", refused, limit, "")
        # A report is stored within a tick of its time where nothing blocks the queue.
        outcome.within("fresh report behind each poison", slowest_s, QUEUE_LIMIT_S)
        bench.store.ask('DROP MEASUREMENT "poison"', method="POST")
        left = _replayed(bench)  # the integer finds no numbers any more; the truth an integer
        outcome.must("letters left after replay", left == 2, str(left), "2 of 3")
        return judged(bench, outcome, others=("good",))


def _poisonous(seq: int, bad: int | None, cells: bytes) -> Message:
    rows = [
        b"poison,fleet=good,plane=p,sat=p1 %b %d\n"
        % (cells if number == bad else b"a=%d.5" % number, START_NS + seq * POISON_ROWS + number)
        for number in range(POISON_ROWS)
    ]
    header = FrameHeader(FRAME_VERSION, "good", "p", "s0001", seq, 0, START_NS, 1, 0, 0)
    return Topics("good").telemetry("s0001"), batch(header, b"".join(rows))


def _count_poison(bench: Bench, wanted: int, limit_s: float = 60.0) -> int:
    count, end_s = 0, time.monotonic() + limit_s
    while count < wanted and time.monotonic() < end_s:
        with suppress(OSError):
            found = bench.store.ask('SELECT count("a") FROM "poison"')
            count = int(found[0]["values"][0][1]) if found else 0
        time.sleep(0.2)
    return count


def _replayed(bench: Bench) -> int:
    """Letters that are left after `twin dlq replay`."""
    bench.run_twin("ingest", "dlq", "replay")
    listed = bench.run_twin("ingest", "dlq", "list", "--json")
    return len([json.loads(line) for line in listed.splitlines() if line.startswith("{")])
