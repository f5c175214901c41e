"""Faults of a simulated run: what they break, when they come by the seed, how all are healed."""

from typing import TYPE_CHECKING

import memory_broker
from memory_broker import notice_partition
from memory_store import MODES

if TYPE_CHECKING:
    from pipeline_run import PipelineRun, Process

HEAL_S = 590.0
STOP_S = 5.0  # a service has so long to end after SIGTERM
FAULT_EVERY_S = 12.0  # on average


def kill_one(run: "PipelineRun", length_s: float) -> None:
    process = run.random.choice(run.processes)
    run.oracle.note(f"fault kill {process.label}")
    run.kill(process)
    run.loop.call_later(length_s, run.start, process)


def stop_one(run: "PipelineRun", length_s: float) -> None:
    """SIGTERM: it must end by itself within `STOP_S`; a second one ends it at once."""
    process = run.random.choice(run.processes)
    run.oracle.note(f"fault stop {process.label}")
    if process.is_alive and process.is_stopping:
        run.kill(process)
    elif process.is_alive and process.task is not None:
        process.is_stopping = True
        process.task.cancel()
        run.loop.call_later(STOP_S, _must_have_ended, run, process, process.incarnation)
        run.loop.call_later(STOP_S + length_s, run.start, process)


def _must_have_ended(run: "PipelineRun", process: "Process", incarnation: int) -> None:
    if process.incarnation == incarnation and process.is_alive and not run.is_over:
        if process.label not in run.paused:
            run.oracle.blame(f"{process.label} did not stop in {STOP_S} s")
        run.kill(process)


def pause_one(run: "PipelineRun", length_s: float) -> None:
    process = run.random.choice(run.processes)
    run.oracle.note(f"fault pause {process.label} {length_s:.3f}")
    if process.is_alive and not run.is_over:
        label = process.label
        run.paused.add(label)
        run.loop.stop_process(label)

        def go_on() -> None:
            if process.is_alive and process.label == label:
                run.loop.start_process(label)

        if length_s > memory_broker.PARTITION_NOTICED_S[1]:  # the broker hears nothing
            run.loop.call_later(
                memory_broker.PARTITION_NOTICED_S[1], run.close_sockets, process.name
            )
        run.loop.call_later(length_s, go_on)


def crash_broker(run: "PipelineRun", length_s: float) -> None:
    run.oracle.note("fault crash broker")
    run.kills += 1
    if run.random.random() < 0.3:
        run.broker.save()  # SIGTERM: it saves before it goes
    run.broker.crash()
    run.loop.call_later(length_s, run.broker.start)


def fail_store(run: "PipelineRun", length_s: float) -> None:
    mode = run.store.mode = run.random.choice(MODES)
    run.oracle.note(f"fault store {mode} {length_s:.3f}")

    def heal() -> None:
        if run.store.mode == mode:
            run.store.mode = None

    run.loop.call_later(length_s, heal)


def cut_link(run: "PipelineRun", length_s: float) -> None:
    link = _any_link(run)
    run.oracle.note(f"fault cut {link} {length_s:.3f}")
    run.network.cut(link)
    noticed_s = run.random.uniform(*memory_broker.PARTITION_NOTICED_S)
    run.loop.call_later(noticed_s, notice_partition, run.broker, link)
    run.loop.call_later(length_s, run.network.heal, link)


def slow_link(run: "PipelineRun", length_s: float) -> None:
    link = _any_link(run)
    run.oracle.note(f"fault slow {link} {length_s:.3f}")
    run.network.extra_s[link] = run.random.choice([0.2, 2.0])
    run.loop.call_later(length_s, lambda: run.network.extra_s.pop(link, None))


def reset_link(run: "PipelineRun", _length_s: float) -> None:
    name = run.random.choice(run.processes).name
    run.oracle.note(f"fault reset {name}")
    run.close_sockets(name)


def set_wall_clock(run: "PipelineRun", length_s: float) -> None:
    jump_s = run.random.choice([-3600.0, 5.0, 86_400.0])
    run.wall_jump_s += jump_s
    run.oracle.note(f"fault wall clock {run.wall_jump_s}")
    run.loop.call_later(length_s, _set_clock_back, run, jump_s)


def _set_clock_back(run: "PipelineRun", jump_s: float) -> None:
    run.wall_jump_s -= jump_s


def duplicate(run: "PipelineRun", length_s: float) -> None:
    run.oracle.note(f"fault duplicates {length_s:.3f}")
    run.broker.duplicate_frac = 0.5
    run.loop.call_later(length_s, setattr, run.broker, "duplicate_frac", 0.0)


def _any_link(run: "PipelineRun") -> tuple[str, str]:
    process = run.random.choice(run.processes)
    servers = ["broker"] if process.name == "simulate" else ["broker", "store"]
    return process.name, run.random.choice(servers)


FAULTS = (
    *(3 * [kill_one]),
    *(2 * [crash_broker]),
    *(2 * [fail_store]),
    stop_one,
    pause_one,
    cut_link,
    slow_link,
    reset_link,
    set_wall_clock,
    duplicate,
)


def schedule(run: "PipelineRun") -> None:
    at_s = 10.0 + run.random.expovariate(1.0 / FAULT_EVERY_S)
    while at_s < HEAL_S - 5.0:
        kind = run.random.choice(FAULTS)
        length_s = min(
            run.random.choice([1.0, 5.0, 25.0, 60.0]) * run.random.random(), HEAL_S - at_s
        )
        run.loop.call_later(at_s, kind, run, length_s)
        at_s += run.random.expovariate(1.0 / FAULT_EVERY_S)
    at_s = 0.0
    while at_s < HEAL_S:
        at_s += run.random.uniform(5.0, 60.0)
        run.loop.call_later(at_s, run.broker.save)


def heal_all(run: "PipelineRun") -> None:
    run.oracle.note("healed")
    run.store.mode = None
    run.network.extra_s.clear()
    run.broker.duplicate_frac = 0.0
    run.broker.start()
    for process in run.processes:
        for server in ("broker", "store"):
            run.network.heal((process.name, server))
        run.loop.start_process(process.label) if process.is_alive else run.start(process)


# -- the run
