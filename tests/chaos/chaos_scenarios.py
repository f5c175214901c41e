"""What is done to the pipeline: one function each, with the bar it must meet."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import Bench, pipeline

KILLED = ("simulate", "broker", "ingest", "store")
DRAIN_LIMIT_S = 10.0
FRESH_LIMIT_S = 5.0


@dataclass
class Size:
    """How much of it: CI by default."""

    seed: int = 1
    kills: int = 24
    long: bool = False


@dataclass
class Outcome:
    """A scenario's figures, and what of its bar was missed."""

    figures: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def bar(self, name: str, value: float | None, limit: float, unit: str = "s") -> None:
        """A figure that must not be above its limit."""
        text = "never" if value is None else f"{value:.1f} {unit}"
        self.figures.append(f"{name} {text} (bar {limit:g} {unit})")
        if value is None or value > limit:
            self.missed.append(f"{name} {text}, bar {limit:g} {unit}")

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.missed.append(what)

    def finish(self, bench: Bench) -> "Outcome":
        """Every row compared."""
        verdict = bench.finish()
        self.figures.append(str(verdict))
        self.must(verdict.is_clean, str(verdict))
        return self


def kill_any(size: Size) -> Outcome:
    """R1: SIGKILL of publisher, broker, ingester or store every 1 to 2 s under load."""
    outcome = Outcome()
    with pipeline(size.seed, run_s=1.5 * size.kills + 30.0) as bench:
        bench.start()
        bench.until(5.0)
        order = []
        for _ in range(size.kills):
            name = bench.random.choice(KILLED)
            order.append(name)
            part = bench.parts[name]
            part.kill()
            time.sleep(bench.random.uniform(0.0, 0.3))
            part.start()
            time.sleep(bench.random.uniform(0.7, 1.7))
        outcome.figures.append(f"{size.kills} kills: {' '.join(order)}")
        outcome.bar("drained after the last kill", bench.drained_s(60.0), DRAIN_LIMIT_S)
        outcome.bar("fresh report stored", bench.fresh_s(15.0), FRESH_LIMIT_S)
        return outcome.finish(bench)


def broker_killed_while_ingester_is_down(size: Size) -> Outcome:
    """R2: the ingester is down, and the broker is killed while it is."""
    down_s = 60.0 if size.long else 12.0
    outcome = Outcome()
    with pipeline(size.seed, run_s=down_s + 20.0) as bench:
        bench.start()
        bench.until(4.0)
        bench.parts["ingest"].kill()
        bench.until(4.0 + down_s / 2.0)
        bench.parts["broker"].kill()
        bench.parts["broker"].start()
        bench.until(4.0 + down_s)
        bench.parts["ingest"].start()
        outcome.bar("drained", bench.drained_s(60.0), 30.0)
        return outcome.finish(bench)


def slow_store(size: Size) -> Outcome:
    """R3: the store takes a tenth of what comes."""
    slow_s = 60.0 if size.long else 12.0
    outcome = Outcome()
    with pipeline(size.seed, run_s=slow_s + 20.0, proxied=True) as bench:
        bench.start()
        bench.until(5.0)
        before = bench.parts["ingest"].rss_bytes
        bench.links["store"].set(rate_bytes_s=150_000.0)
        bench.until(5.0 + slow_s)
        grown_mib = (bench.parts["ingest"].rss_bytes - before) / 2**20
        bench.links["store"].set()
        outcome.bar("ingester grew by", grown_mib, 32.0, "MiB")
        outcome.bar("drained", bench.drained_s(90.0), 30.0 + slow_s / 2.0)
        return outcome.finish(bench)


def partition(size: Size) -> Outcome:
    """R4: both links of the broker dropped in both directions, again and again."""
    lengths_s = [2.0, 9.0, 4.0, 6.0, 60.0] if size.long else [2.0, 6.0, 4.0]
    outcome = Outcome()
    with pipeline(size.seed, run_s=sum(lengths_s) + 5.0 * len(lengths_s) + 15.0, proxied=True) as b:
        b.start()
        b.until(4.0)
        for length_s in lengths_s:
            for name in ("simulate", "ingest"):
                b.links[name].set(black_hole=True)
            time.sleep(length_s)
            for name in ("simulate", "ingest"):
                b.links[name].set()
            time.sleep(5.0)
        outcome.figures.append(f"{len(lengths_s)} partitions, {sum(lengths_s):g} s in all")
        outcome.bar("drained", b.drained_s(60.0), max(lengths_s) / 2.0 + 5.0)
        return outcome.finish(b)


TOXICS: dict[str, dict[str, float | bool]] = {
    "black hole": {"black_hole": True},
    "1-byte slices": {"slice_bytes": 1},
    "200 +- 100 ms": {"latency_s": 0.2, "jitter_s": 0.1},
    "1 Mbit/s": {"rate_bytes_s": 125_000.0},
}


def bad_links(size: Size) -> Outcome:
    """R5: black hole, slices, latency, 1 Mbit/s and resets on each link in turn."""
    each_s = 30.0 if size.long else 2.0
    outcome = Outcome()
    run_s = 3 * (len(TOXICS) + 1) * each_s + 25.0
    with pipeline(size.seed, run_s=run_s, proxied=True) as bench:
        bench.start()
        bench.until(4.0)
        for link in bench.links.values():
            for toxics in TOXICS.values():
                link.set(**toxics)
                time.sleep(each_s)
                link.set()
            link.reset_all()
            time.sleep(each_s)
        outcome.bar("drained", bench.drained_s(90.0), 30.0)
        return outcome.finish(bench)


def disk_full(size: Size) -> Outcome:
    """R6: the store's disk is full for a while; nothing is given up, nothing restarted."""
    outcome = Outcome()
    full_s = 60.0 if size.long else 12.0
    with pipeline(size.seed, run_s=full_s + 40.0) as bench:
        disk = bench.home / "influx"
        mount = ("mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(disk))
        done = subprocess.run(mount, capture_output=True, check=False)
        if done.returncode:
            return Outcome([f"not run: {done.stderr.decode().strip()}"])
        try:
            bench.start()
            bench.until(5.0)
            ballast = disk / "ballast"
            subprocess.run(
                ["dd", "if=/dev/zero", f"of={ballast}", "bs=1M"], capture_output=True, check=False
            )
            begun_s, noticed_s = time.monotonic(), None
            while time.monotonic() - begun_s < full_s:
                if noticed_s is None and not _ready(bench):
                    noticed_s = time.monotonic() - begun_s
                time.sleep(0.25)
            outcome.bar("/readyz says 503", noticed_s, 15.0)
            ballast.unlink()
            outcome.bar("drained after space is back", bench.drained_s(90.0), 30.0)
            return outcome.finish(bench)
        finally:
            bench.end()
            subprocess.run(["umount", str(disk)], capture_output=True, check=False)


def _ready(bench: Bench) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{bench.health_port}/readyz", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        json.loads(error.read())  # says which check fails
        return False
    except OSError:
        return False


def told_to_stop(size: Size) -> Outcome:
    """R14: SIGTERM and SIGINT under load; every service ends by itself and goes on later."""
    outcome = Outcome()
    with pipeline(size.seed, run_s=50.0) as bench:
        bench.start()
        for turn, (name, number) in enumerate(
            [
                ("ingest", signal.SIGTERM),
                ("simulate", signal.SIGTERM),
                ("ingest", signal.SIGINT),
                ("simulate", signal.SIGINT),
            ]
        ):
            bench.until(8.0 * (turn + 1))
            part = bench.parts[name]
            begun_s = time.monotonic()
            part.signal(number)
            code = part.wait(20.0)
            outcome.bar(f"{name} ended", time.monotonic() - begun_s, 5.0)
            outcome.must(code == 0, f"{name} ended with {code} after {number.name}")
            part.start()
        return outcome.finish(bench)


def any_start_order(size: Size) -> Outcome:
    """R16: the four in any order, some of them seconds late."""
    orders = 24 if size.long else 4
    late_s = 30.0 if size.long else 3.0
    outcome = Outcome()
    slowest_s = 0.0
    for turn in range(orders):
        with pipeline(size.seed + turn, run_s=20.0 + 4 * late_s) as bench:
            bench.plan_simulate()
            order = list(KILLED)
            bench.random.shuffle(order)
            for name in order:
                bench.parts[name].start()
                time.sleep(bench.random.uniform(0.0, late_s))
            drained_s = bench.drained_s(60.0)
            slowest_s = max(slowest_s, drained_s if drained_s is not None else 1e9)
            outcome.finish(bench)
            for part in bench.parts.values():
                text = part.log_path.read_text(errors="replace")
                outcome.must("Traceback" not in text, f"{part.name} ended with a traceback")
    outcome.bar(f"slowest of {orders} orders up and drained", slowest_s, 15.0)
    return outcome


def replayed(size: Size) -> Outcome:
    """R18: the whole run sent once more by a simulator that has forgotten everything."""
    outcome = Outcome()
    with pipeline(size.seed, run_s=15.0) as bench:
        bench.start()
        outcome.finish(bench)
        bench.parts["ingest"].kill()  # forgets what is stored, and so writes everything again
        bench.parts["ingest"].start()
        for path in bench.home.glob("simulate/**/*.ckpt"):
            path.unlink()
        bench.parts["simulate"].start()
        return outcome.finish(bench)


def paused(size: Size) -> Outcome:
    """R19: SIGSTOP of each process in turn."""
    each_s = 20.0 if size.long else 4.0
    outcome = Outcome()
    with pipeline(size.seed, run_s=4 * (each_s + 4.0) + 15.0) as bench:
        bench.start()
        bench.until(4.0)
        for name in KILLED:
            bench.parts[name].signal(signal.SIGSTOP)
            time.sleep(each_s)
            bench.parts[name].signal(signal.SIGCONT)
            time.sleep(4.0)
        outcome.bar("drained", bench.drained_s(60.0), 15.0)
        return outcome.finish(bench)


SCENARIOS: dict[str, Callable[[Size], Outcome]] = {
    "R1": kill_any,
    "R2": broker_killed_while_ingester_is_down,
    "R3": slow_store,
    "R4": partition,
    "R5": bad_links,
    "R6": disk_full,
    "R14": told_to_stop,
    "R16": any_start_order,
    "R18": replayed,
    "R19": paused,
}
