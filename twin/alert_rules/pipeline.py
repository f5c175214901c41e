"""Rules of the pipeline itself: who watches the watchers."""

from typing import Final

from twin.alert_conditions import OPS_MEASUREMENT, Condition, Threshold, growth, last
from twin.alert_rule import Dashboard, Rule, Runbook

RULES: Final = (
    Rule(
        name="ingest_behind",
        title="Telemetry reaches the store late",
        subsystem="pipeline",
        severity="critical",
        cause="ingest",
        condition=Condition(
            OPS_MEASUREMENT,
            last("watermark_lag_seconds"),
            above=Threshold(60.0, "six reports of 10 s wait (A)"),
            clear=Threshold(30.0, "half of it (A)"),
            window_s=60.0,
        ),
        for_s=60.0,
        keep_firing_s=60.0,
        dashboard=Dashboard("twin-pipeline"),
        summary="{service} {instance}: the oldest row waits for {value} s",
        unit="s",
        runbook=Runbook(
            meaning="The oldest row that the ingester has taken and not yet stored has waited "
            "longer than the limit.",
            impact="Every dashboard and rule looks at the past. Nothing is lost yet: the rows "
            "wait in memory and in the spool.",
            diagnosis=(
                "store_up 0, or store errors growing: the store is the cause.",
                "Store well and the processor busy: one ingester is too few.",
                "Spool growing: how long until it is full?",
            ),
            action=(
                "Get the store back first; the ingester catches up by itself.",
                "Start another ingester of the group where the store keeps pace.",
            ),
        ),
    ),
    Rule(
        name="telemetry_dropped",
        title="Telemetry was given up",
        subsystem="pipeline",
        severity="critical",
        cause="ingest",
        condition=Condition(
            OPS_MEASUREMENT,
            growth("dropped_total_spool_quota") + growth("dropped_total_dlq_cap"),
            above=Threshold(0.0, "must stay 0 (definition)"),
            window_s=300.0,
        ),
        for_s=0.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-pipeline"),
        summary="{service} {instance}: {value} batches or dead letters given up in 5 min",
        runbook=Runbook(
            meaning="The spool or the dead-letter folder was full and the oldest of it was thrown "
            "away. In a healthy system this counter never moves.",
            impact="Rows are missing in the store. The simulator can make them again, a real "
            "satellite cannot.",
            diagnosis=(
                "Disk full, or its quota too small for the length of the store's outage?",
                "Which fleets and times: `twin gaps` lists the holes.",
            ),
            action=(
                "Get the store back, raise the quota, then `twin gaps repair`.",
                "Look through `twin dlq list` before it evicts more.",
            ),
        ),
    ),
)
"""Pipeline rules, most urgent first."""
