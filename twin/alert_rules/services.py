"""Rules of the simulator and of what the services tell about themselves."""

from typing import Final

from twin.alert_conditions import (
    OPS_MEASUREMENT,
    Comparison,
    Condition,
    Reading,
    Threshold,
    growth,
    last,
)
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.alert_rules.pipeline import NOTHING

RULES: Final = (
    Rule(
        name="simulator_stands",
        title="The simulator stands still",
        subsystem="pipeline",
        severity="critical",
        cause="simulator",
        condition=Condition(
            OPS_MEASUREMENT,
            growth("ticks_total"),
            below=Threshold(0.5, "not one tick (definition)"),
            when=(
                Comparison(
                    Reading("ticks_total", "count"),
                    above=Threshold(17.5, "three minutes of rows, one each 10 s (definition)"),
                ),
            ),
            window_s=300.0,
        ),
        for_s=60.0,
        keep_firing_s=60.0,
        dashboard=Dashboard("twin-pipeline", "now-clock"),
        summary="{service} {instance}: {value} ticks in 5 min",
        runbook=Runbook(
            meaning="The simulator's process is alive and writes its own numbers, but its clock "
            "has "
            "not moved for minutes.",
            impact="Telemetry stops; satellites look silent.",
            diagnosis=(
                "Paused by a command, or waiting for room: is the queue of unstored frames full?",
                "Store or broker down? Then it waits on purpose; mend those first.",
            ),
            action=("Resume it; after a crash loop restart it: it goes on from its checkpoint.",),
        ),
    ),
    Rule(
        name="simulator_behind",
        title="The simulator falls behind the clock",
        subsystem="pipeline",
        severity="warning",
        cause="simulator",
        condition=Condition(
            OPS_MEASUREMENT,
            last("clock_lag_seconds"),
            above=Threshold(10.0, "one report of 10 s (A)"),
            clear=Threshold(5.0, "half of it (A)"),
            window_s=60.0,
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=Dashboard("twin-pipeline", "now-clock"),
        summary="{service} {instance}: {value} s behind its clock",
        unit="s",
        runbook=Runbook(
            meaning="The physics takes longer than the time it simulates: reports come late and "
            "later.",
            impact="Age of telemetry grows; `for` times and windows no longer mean what they say.",
            diagnosis=(
                "Another process on the machine? A rate that the machine cannot hold?",
                "Many faults planned: faults switch to the slower engine.",
            ),
            action=("Lower the rate, lengthen the step, or split the fleet (`--shard`).",),
        ),
    ),
    Rule(
        name="reports_skipped",
        title="Numbers skipped on the way to the store",
        subsystem="pipeline",
        severity="warning",
        cause="ingest",
        condition=Condition(
            OPS_MEASUREMENT, growth("seq_gap_total"), above=NOTHING, window_s=300.0
        ),
        for_s=0.0,
        keep_firing_s=600.0,
        dashboard=Dashboard("twin-pipeline", "gaps"),
        summary="{service} {instance}: {value} batch numbers skipped in 5 min",
        runbook=Runbook(
            meaning="The ingester saw a batch whose number is not the next one: something before "
            "it "
            "lost or withheld what lies between.",
            impact="Until they are sent again, rows are missing for whole shards.",
            diagnosis=(
                "Publisher restarted without its checkpoint?",
                "Broker dropped (broker_drops)? Then they come again from the watermark.",
            ),
            action=("Wait for the resend; what stays missing: `twin gaps repair`.",),
        ),
    ),
    Rule(
        name="store_refuses",
        title="The store refuses rows",
        subsystem="pipeline",
        severity="warning",
        cause="store",
        condition=Condition(
            OPS_MEASUREMENT,
            growth("store_errors_total_rejected") + growth("store_errors_total_4xx"),
            above=NOTHING,
            window_s=300.0,
        ),
        for_s=0.0,
        keep_firing_s=600.0,
        dashboard=Dashboard("twin-pipeline", "errors"),
        summary="{service} {instance}: {value} writes refused in 5 min",
        runbook=Runbook(
            meaning="The store answered, and said no: a field of another type, rows beyond its "
            "retention, rights taken away.",
            impact="Refused rows become dead letters; the rest is stored.",
            diagnosis=(
                "Type conflict: a channel changed its kind between versions.",
                "401 or 403: the token; `twin doctor` tells which right lacks.",
            ),
            action=("Mend the cause; then `twin dlq replay`.",),
        ),
    ),
    Rule(
        name="spool_fills",
        title="The spool fills up",
        subsystem="pipeline",
        severity="warning",
        cause="store",
        condition=Condition(
            OPS_MEASUREMENT,
            last("spool_bytes"),
            above=Threshold(5.0e8, "half of the default quota of 1000 MB (A)"),
            clear=Threshold(2.5e8, "half of it (A)"),
            window_s=60.0,
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-pipeline", "waiting"),
        summary="{service} {instance}: {value} bytes wait in the spool",
        unit="bytes",
        runbook=Runbook(
            meaning="More than half of the spool's quota is taken by batches that the store has "
            "not "
            "got yet.",
            impact="At the quota the ingester stops taking messages, or drops the oldest, as set.",
            diagnosis=(
                "Growing or shrinking? Shrinking: it catches up, wait.",
                "Growing: minutes left = what is free over the growth of a minute.",
            ),
            action=("Get the store back; raise TWIN_SPOOL_QUOTA_MB where the disk allows.",),
        ),
    ),
    Rule(
        name="service_overloaded",
        title="A service does not keep up with itself",
        subsystem="pipeline",
        severity="warning",
        cause="services",
        condition=Condition(
            OPS_MEASUREMENT,
            Reading("event_loop_lag_seconds", "min"),
            above=Threshold(1.0, "s late at every look for two minutes (A)"),
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=Dashboard("twin-pipeline", "loop"),
        summary="{service} {instance}: its loop is {value} s late",
        unit="s",
        runbook=Runbook(
            meaning="The service's event loop has been late at every look for two minutes: the "
            "process has more to do than one processor gives.",
            impact="Everything in it is slow: acknowledgements, health checks, queries.",
            diagnosis=(
                "Which process takes the processor? Is memory swapped?",
                "Console: too many viewers. Ingester: see ingest_behind.",
            ),
            action=("Give it a processor of its own, or a second instance.",),
        ),
    ),
)
"""Rules of services, most urgent first."""
