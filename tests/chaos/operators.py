"""What operators do by habit and by mistake: reload again and again, start a service twice."""

import signal
import time
from pathlib import Path

import yaml
from bench import Bench, pipeline
from kills import judged
from outcome import Outcome, Size
from parts import until
from servers import free_port

RELOADS = 100
INVALID_EVERY = 5
MANY = 10_000
RELOAD_LIMIT_S = 1.0
TAKEOVERS_LIMIT = 3  # a minute
RIVALS_S = 120.0
FOUND_OUT_S = 15.0


def reloaded(size: Size) -> Outcome:
    """R15: SIGHUP a hundred times under load, the file wrong every fifth time."""
    outcome, reloads = Outcome(), 10 * RELOADS if size.nightly else RELOADS
    each_s = 0.25
    with pipeline(
        size.seed,
        run_s=reloads * each_s + 40.0,
        satellites=size.satellites,
        settings={"ingest": {"TWIN_OWNERS_FILE": "OWNERS"}},
    ) as bench:
        path = bench.home / "owners.yaml"
        bench.parts["ingest"].environment["TWIN_OWNERS_FILE"] = str(path)
        owners = yaml.safe_load(bench.run_twin("ingest", "config", "owners", str(bench.scenario)))
        _write(path, owners)
        bench.start()
        bench.until_ready()
        bench.until(5.0)
        gaps = bench.metric("seq_gap_total")
        wrong = 0
        for turn in range(reloads):
            if turn % INVALID_EVERY == INVALID_EVERY - 1:
                path.write_text("fleets:\n  thousand:\n    s0000: 7\n")
                wrong += 1
            else:
                owners["fleets"][f"other-{turn % 7}"] = {"s0000": [f"sat-{turn}"]}
                _write(path, owners)
            bench.parts["ingest"].signal(signal.SIGHUP)
            time.sleep(each_s)
        until(lambda: bench.metric("config_reload_failures_total") >= wrong, 30.0)
        failures = bench.metric("config_reload_failures_total")
        outcome.must("reloads refused", failures == wrong, f"{failures:g} of {reloads}", str(wrong))
        said = f"{path.name}:3" in bench.log("ingest")
        outcome.must("file and line are named", said)
        skipped = bench.metric("seq_gap_total") - gaps
        outcome.at_most("numbers skipped", skipped, 0.0, "")
        outcome.within(
            f"reload of {MANY:,} satellites", _reload_many(bench, path, owners), RELOAD_LIMIT_S
        )
        return judged(bench, outcome)


def _write(path: Path, owners: object) -> None:
    """In one step: half a file is another test."""
    beside = path.with_suffix(".new")
    beside.write_text(yaml.dump(owners, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
    beside.replace(path)


def _reload_many(bench: Bench, path: Path, owners: dict[str, dict[str, object]]) -> float | None:
    """Seconds from the signal until a table of so many satellites is in force."""
    owners["fleets"]["many"] = {
        f"s{shard:04}": [f"m-{shard}-{number}" for number in range(100)]
        for shard in range(MANY // 100)
    }
    _write(path, owners)
    before = bench.metric("config_hash")
    begun_s = time.monotonic()
    bench.parts["ingest"].signal(signal.SIGHUP)
    return until(lambda: bench.metric("config_hash") not in {before, 0.0}, 60.0, begun_s=begun_s)


def rivals(size: Size) -> Outcome:
    """R17: a second ingester and a second publisher with the client ids of the first."""
    outcome = Outcome()
    watched_s = 600.0 if size.nightly else RIVALS_S
    with pipeline(size.seed, run_s=watched_s + 50.0, satellites=min(100, size.satellites)) as bench:
        bench.start()
        bench.until_ready()
        bench.until(12.0)  # the first ones' sessions are old by then
        port = free_port()
        bench.add_double("ingest", TWIN_HEALTH_LISTEN=f"127.0.0.1:{port}").start()
        bench.add_double("simulate").start()
        until(lambda: bench.ready(port) is not None, 60.0)
        time.sleep(FOUND_OUT_S)
        before = _taken_over(bench)
        outcome.figures.append(f"{before} takeovers of two clients until they found out")
        begun_s, looks, one_ready, both_ready = time.monotonic(), 0, 0, 0
        while time.monotonic() - begun_s < watched_s:
            ready = [bench.is_ready(), bench.is_ready(port)]
            looks += 1
            one_ready += any(ready)
            both_ready += all(ready)
            time.sleep(0.5)
        minutes = (time.monotonic() - begun_s) / 60.0
        each = (_taken_over(bench) - before) / 2.0 / minutes
        outcome.at_most("takeovers a minute and client", each, TAKEOVERS_LIMIT, "")
        share = one_ready / looks
        outcome.must("one of the two is ready", share > 0.9, f"{100.0 * share:.0f} %", "> 90 %")
        both = both_ready / looks
        outcome.must("the other is not", both < 0.05, f"both {100.0 * both:.0f} %", "< 5 %")
        for name in ("ingest-double", "simulate-double"):
            bench.parts[name].kill()
        return judged(bench, outcome)


def _taken_over(bench: Bench) -> int:
    return bench.log("broker").count("already connected, closing old connection")
