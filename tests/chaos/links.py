"""Links that are slow, cut, reset or torn to pieces, and a store that hardly takes anything."""

import time

from bench import Bench, pipeline
from kills import judged
from outcome import Outcome, Size
from parts import until

GROWTH_LIMIT_MIB = 32.0
NOTICED_LIMIT_S = 5.0
BUSY_LIMIT = 0.2  # of a processor, while there is nothing to do but to try again


def slow_store(size: Size) -> Outcome:
    """R3: the store takes a tenth of what comes."""
    slow_s, outcome = 60.0 if size.nightly else 15.0, Outcome()
    run_s = 2.0 * slow_s + 20.0
    with pipeline(size.seed, run_s=run_s, proxied=True, satellites=size.satellites) as bench:
        bench.start()
        bench.until(6.0)
        before = bench.parts["ingest"].rss_bytes
        bench.links["store"].set(rate_bytes_s=150.0 * size.satellites)
        bench.until(6.0 + slow_s)
        grown_mib = (bench.parts["ingest"].rss_bytes - before) / 2**20
        bench.links["store"].set()
        outcome.at_most("ingester grew by", grown_mib, GROWTH_LIMIT_MIB, "MiB")
        dropped = bench.metric("broker_dropped_total")
        outcome.at_most("dropped by the broker", dropped, 0.0, "")
        outcome.within("drained", bench.drained_s(120.0), 30.0 + slow_s / 2.0)
        return judged(bench, outcome)


def partition(size: Size) -> Outcome:
    """R4: both links of the broker dropped in both directions, again and again."""
    lengths_s = [2.0, 9.0, 4.0, 6.0, 60.0] if size.nightly else [2.0, 9.0, 4.0, 6.0]
    outcome = Outcome()
    run_s = sum(lengths_s) + 5.0 * len(lengths_s) + 25.0
    with pipeline(size.seed, run_s=run_s, proxied=True, satellites=size.satellites) as bench:
        bench.start()
        bench.until(4.0)
        for length_s in lengths_s:
            for name in ("simulate", "ingest"):
                bench.links[name].set(black_hole=True)
            time.sleep(length_s)
            for name in ("simulate", "ingest"):
                bench.links[name].set()
            time.sleep(5.0)
        outcome.figures.append(f"{len(lengths_s)} partitions, {sum(lengths_s):g} s in all")
        outcome.within("drained", bench.drained_s(120.0), max(lengths_s) / 2.0 + 5.0)
        return judged(bench, outcome)


TOXICS: dict[str, dict[str, float | bool]] = {
    "1-byte slices": {"slice_bytes": 1},
    "200 +- 100 ms": {"latency_s": 0.2, "jitter_s": 0.1},
    "1 Mbit/s": {"rate_bytes_s": 125_000.0},
}


def bad_links(size: Size) -> Outcome:
    """R5: black hole, slices, latency, 1 Mbit/s and resets on each link in turn."""
    each_s, hole_s = (30.0, 30.0) if size.nightly else (3.0, 9.0)
    outcome = Outcome()
    run_s = 3.0 * ((len(TOXICS) + 1) * each_s + hole_s) + 50.0
    with pipeline(size.seed, run_s=run_s, proxied=True, satellites=size.satellites) as bench:
        bench.start()
        bench.until(4.0)
        for name, link in bench.links.items():
            for toxics in TOXICS.values():
                link.set(**toxics)
                time.sleep(each_s)
                link.set()
            link.reset_all()
            time.sleep(each_s)
            _black_hole(bench, name, hole_s, outcome)
        outcome.within("drained", bench.drained_s(120.0), 30.0)
        return judged(bench, outcome)


def _black_hole(bench: Bench, name: str, hole_s: float, outcome: Outcome) -> None:
    """Nothing passes one link; who depends on it notices and does not spin."""
    part = bench.parts["simulate" if name == "simulate" else "ingest"]
    if name == "store":
        until(bench.is_ready, 30.0)  # it must be well before it can be seen to fall ill
    errors = bench.metric("store_errors_total")
    bench.links[name].set(black_hole=True)
    begun_s, cpu_s = time.monotonic(), part.cpu_s
    noticed_s: float | None = None
    while time.monotonic() - begun_s < hole_s:
        time.sleep(0.1)
        if name == "store" and noticed_s is None and bench.metric("store_errors_total") > errors:
            noticed_s = time.monotonic() - begun_s
    used = (part.cpu_s - cpu_s) / (time.monotonic() - begun_s)
    bench.links[name].set()
    if name == "store":
        # A write is under way within one tick of the fleet.
        outcome.within("hung write noticed", noticed_s, NOTICED_LIMIT_S + 1.0)
    if name != "simulate":  # the simulator goes on with the physics
        outcome.at_most(f"{part.name} with {name} cut off", used, BUSY_LIMIT, "of a processor")
