"""Processes that are killed, told to stop, paused, starved, and started in any order."""

import signal
import time
from itertools import permutations

from bench import Bench, pipeline
from groups import control_group
from outcome import Outcome, Size

KILLED = ("simulate", "broker", "ingest", "store")
DRAIN_LIMIT_S = 10.0
FRESH_LIMIT_S = 5.0
START_LIMIT_S = 10.0
STOP_LIMIT_S = 5.0


def judged(
    bench: Bench, outcome: Outcome, others: tuple[str, ...] = (), limit_s: float = 120.0
) -> Outcome:
    """Every row compared with what the scenario says that it is; not those of other fleets."""
    verdict = bench.finish(limit_s, others)
    outcome.must("lost, double, corrupt", verdict.is_clean, verdict.short, "0, 0, 0")
    if verdict.example:
        outcome.figures.append(f"first that is corrupt: {verdict.example}")
    left = bench.tracebacks()
    outcome.must("no unhandled exception", not left, ", ".join(left))
    outcome.figures += [f"{name}: {bench.exception(name)}" for name in left]
    return outcome


def drawn(size: Size, bench: Bench, count: int) -> list[str]:
    """Whom to kill: the given order again and again, or drawn from the seed."""
    if size.order:
        return [size.order[turn % len(size.order)] for turn in range(count)]
    return [bench.random.choice(KILLED) for _ in range(count)]


def kill_any(size: Size) -> Outcome:
    """R1: SIGKILL of publisher, broker, ingester or store every 1 to 2 s under load."""
    outcome, kills = Outcome(), 200 if size.nightly else size.kills
    with pipeline(size.seed, run_s=1.5 * kills + 40.0, satellites=size.satellites) as bench:
        bench.start()
        bench.until(5.0)
        order = drawn(size, bench, kills)
        for name in order:
            part = bench.parts[name]
            part.kill()
            time.sleep(bench.random.uniform(0.0, 0.3))
            part.start()
            time.sleep(bench.random.uniform(0.7, 1.7))
        outcome.figures.append(f"{kills} kills: {' '.join(order)}")
        outcome.within("drained after the last kill", bench.drained_s(120.0), DRAIN_LIMIT_S)
        outcome.within("fresh report stored", bench.fresh_s(30.0), FRESH_LIMIT_S)
        return judged(bench, outcome)


def broker_killed_while_ingester_is_down(size: Size) -> Outcome:
    """R2: the ingester is down for a minute, and the broker is killed while it is."""
    down_s, outcome = 60.0, Outcome()
    with pipeline(size.seed, run_s=down_s + 40.0, satellites=size.satellites) as bench:
        bench.start()
        bench.until(4.0)
        bench.parts["ingest"].kill()
        bench.until(4.0 + down_s / 2.0)
        bench.parts["broker"].kill()
        bench.parts["broker"].start()
        bench.until(4.0 + down_s)
        bench.parts["ingest"].start()
        outcome.within("drained", bench.drained_s(120.0), down_s / 2.0)
        return judged(bench, outcome)


def told_to_stop(size: Size) -> Outcome:
    """R14: SIGTERM and SIGINT under load, and a second signal; what was stopped goes on later."""
    outcome = Outcome()
    with pipeline(size.seed, run_s=60.0, satellites=size.satellites) as bench:
        bench.start()
        turns = [
            (name, number)
            for number in (signal.SIGTERM, signal.SIGINT)
            for name in ("ingest", "simulate")
        ]
        for turn, (name, number) in enumerate(turns):
            bench.until(8.0 * (turn + 1))
            part, begun_s = bench.parts[name], time.monotonic()
            part.signal(number)
            code = part.wait(20.0)
            outcome.within(f"{name} ended", time.monotonic() - begun_s, STOP_LIMIT_S)
            outcome.must(f"{name} after {number.name}", code == 0, f"exit {code}", "exit 0")
            part.start()
        bench.until(8.0 * (len(turns) + 1))
        bench.parts["store"].signal(signal.SIGSTOP)  # so that there is something to wait for
        part, begun_s = bench.parts["ingest"], time.monotonic()
        part.signal(signal.SIGTERM)
        time.sleep(0.2)
        part.signal(signal.SIGTERM)
        part.wait(20.0)
        outcome.within("ended after a second signal", time.monotonic() - begun_s, 1.0)
        bench.parts["store"].signal(signal.SIGCONT)
        part.start()
        return judged(bench, outcome)


def any_start_order(size: Size) -> Outcome:
    """R16: the four in any of their 24 orders; store and broker late."""
    outcome, late_s = Outcome(), 30.0 if size.nightly else 3.0
    orders = list(permutations(KILLED))
    if size.order:
        orders = [tuple(size.order)]
    slowest_s: float | None = 0.0
    satellites = size.satellites if size.nightly else min(100, size.satellites)
    for turn, order in enumerate(orders):
        run_s = 12.0 + 2.0 * late_s
        with pipeline(size.seed + turn, run_s=run_s, satellites=satellites) as bench:
            bench.plan_simulate()
            for name in order:
                if name in {"broker", "store"}:
                    time.sleep(bench.random.uniform(0.5, 1.0) * late_s)
                bench.parts[name].start()
            drained_s = bench.drained_s(60.0)
            if drained_s is None or slowest_s is None:
                slowest_s = None
            else:
                slowest_s = max(slowest_s, drained_s)
            verdict = bench.finish()
            left = bench.tracebacks()
            if not verdict.is_clean or left:
                outcome.must(f"order {' '.join(order)}", False, f"{verdict.short} {left}", "clean")
    outcome.must(f"{len(orders)} orders", not outcome.rows, "all clean", "all clean")
    outcome.within("slowest up and drained", slowest_s, START_LIMIT_S)
    return outcome


def replayed(size: Size) -> Outcome:
    """R18: the whole run sent once more by a simulator that has forgotten everything."""
    outcome = Outcome()
    with pipeline(size.seed, run_s=15.0, satellites=size.satellites) as bench:
        bench.start()
        judged(bench, outcome)
        bench.parts["ingest"].kill()  # forgets what is stored, and so writes everything again
        bench.parts["ingest"].start()
        for path in bench.home.glob("simulate/**/*.ckpt"):
            path.unlink()
        bench.parts["simulate"].start()
        return judged(bench, outcome)


def paused(size: Size) -> Outcome:
    """R19: SIGSTOP of each process in turn, then a fifth of a processor for the ingester."""
    outcome = Outcome()
    each_s, quota_s = (20.0, 30.0) if size.nightly else (8.0, 10.0)
    names = size.order or KILLED
    run_s = len(names) * (each_s + 4.0) + quota_s + 30.0
    with pipeline(size.seed, run_s=run_s, satellites=size.satellites) as bench:
        bench.start()
        bench.until(4.0)
        for name in names:
            bench.parts[name].signal(signal.SIGSTOP)
            time.sleep(each_s)
            bench.parts[name].signal(signal.SIGCONT)
            time.sleep(4.0)
        with control_group("cpu", {"cpu.cfs_quota_us": "20000"}) as group:
            if group is None:
                outcome.figures.append("no processor quota: no cgroup of version 1 to write to")
            else:
                group.take(bench.parts["ingest"])
                time.sleep(quota_s)
                group.release()
        outcome.within("drained", bench.drained_s(120.0), 15.0)
        return judged(bench, outcome)
