"""Rules of the way to the store: who watches the watchers."""

from typing import Final

from twin.alert_conditions import OPS_MEASUREMENT, Condition, Reading, Threshold, growth, last
from twin.alert_rule import Dashboard, Rule, Runbook

NOTHING: Final = Threshold(0.5, "a whole one; counters are whole numbers (definition)")
UP: Final = Threshold(0.5, "1 is up, 0 is down (definition)")

RULES: Final = (
    Rule(
        name="store_down",
        title="The store does not take rows",
        subsystem="pipeline",
        severity="critical",
        cause="store",
        condition=Condition(OPS_MEASUREMENT, Reading("store_up", "max"), below=UP, window_s=60.0),
        for_s=30.0,
        keep_firing_s=60.0,
        dashboard=Dashboard("twin-pipeline", "now-store"),
        summary="{service} {instance}: the store is not there (store_up {value})",
        runbook=Runbook(
            meaning="For a minute no row went through to the store. Where the store itself is down "
            "Grafana sees an error instead and only our own evaluator says this.",
            impact="Telemetry waits in memory and in the spool. Rules look at old rows.",
            diagnosis=(
                "`twin doctor`: address, log-in, rights, disk of the store?",
                "Store answers slowly: compaction, or a query that eats it.",
            ),
            action=(
                "Get the store back; the ingester goes on by itself.",
                "Long outage: how long does the spool last at this rate? Raise its quota.",
            ),
        ),
    ),
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
        dashboard=Dashboard("twin-pipeline", "lag"),
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
            above=NOTHING,
            window_s=300.0,
        ),
        for_s=0.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-pipeline", "dropped"),
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
    Rule(
        name="own_disk_fails",
        title="A service cannot write its own disk",
        subsystem="pipeline",
        severity="critical",
        cause="ingest",
        condition=Condition(
            OPS_MEASUREMENT,
            growth("disk_failures_total_spool") + growth("disk_failures_total_dead_letters"),
            above=NOTHING,
            window_s=300.0,
        ),
        for_s=0.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-pipeline", "errors"),
        summary="{service} {instance}: {value} writes refused by its disk in 5 min",
        runbook=Runbook(
            meaning="Spool or dead letters could not be written: the disk is full or failing.",
            impact="The safety net has a hole: a store outage now loses what memory cannot hold.",
            diagnosis=(
                "Space and inodes of the volume; is it mounted read-only?",
                "Who filled it: logs, an old spool, the store itself?",
            ),
            action=("Free space; move the spool to a volume of its own.",),
        ),
    ),
    Rule(
        name="broker_down",
        title="A service has lost the broker",
        subsystem="pipeline",
        severity="critical",
        cause="broker",
        condition=Condition(OPS_MEASUREMENT, Reading("broker_up", "max"), below=UP, window_s=60.0),
        for_s=30.0,
        keep_firing_s=60.0,
        dashboard=Dashboard("twin-pipeline", "services"),
        summary="{service} {instance}: no connection to the broker (broker_up {value})",
        runbook=Runbook(
            meaning="For a minute the service has had no connection to the MQTT broker.",
            impact="Simulator: reports queue on its side. Ingester: nothing arrives. Commands "
            "wait.",
            diagnosis=(
                "One service or all? All: the broker. One: its network, log-in or certificate.",
                "Certificate expired? `twin doctor` says until when.",
            ),
            action=(
                "Restart the broker; sessions and queues persist.",
                "Reconnects come with jitter: do not restart the services as well.",
            ),
        ),
    ),
    Rule(
        name="broker_drops",
        title="The broker drops messages",
        subsystem="pipeline",
        severity="warning",
        cause="broker",
        condition=Condition(
            OPS_MEASUREMENT, growth("broker_dropped_total"), above=NOTHING, window_s=300.0
        ),
        for_s=0.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-pipeline", "now-broker-dropped"),
        summary="{service} {instance}: the broker dropped {value} messages in 5 min",
        runbook=Runbook(
            meaning="The broker's own counter of dropped messages has grown: a subscriber is "
            "slower "
            "than what comes for it, or away for longer than its queue lasts.",
            impact="Telemetry is sent again from the watermark; other subscribers lose for good.",
            diagnosis=(
                "Whose queue is full? The ingester's: see ingest_behind.",
                "A forgotten persistent session of a test client?",
            ),
            action=(
                "Give the ingester room, or a second one; delete dead sessions.",
                "Raise the queue limits only after that.",
            ),
        ),
    ),
    Rule(
        name="dead_letters",
        title="Messages that nobody can use",
        subsystem="pipeline",
        severity="warning",
        cause="ingest",
        condition=Condition(
            OPS_MEASUREMENT,
            growth("dlq_total_frame")
            + growth("dlq_total_owner")
            + growth("dlq_total_schema")
            + growth("dlq_total_row"),
            above=NOTHING,
            window_s=300.0,
        ),
        for_s=0.0,
        keep_firing_s=600.0,
        dashboard=Dashboard("twin-pipeline", "letters"),
        summary="{service} {instance}: {value} dead letters in 5 min",
        runbook=Runbook(
            meaning="Messages were set aside because they were no frame, named a satellite that is "
            "not the sender's, broke the schema, or held a row that the store refuses.",
            impact="What they held is not in the store. The rest of the stream goes on.",
            diagnosis=(
                "`twin dlq list`: the reason is with each.",
                "`owner`: a wrong owners file, or somebody who should not write.",
                "`schema`: another version of a sender.",
            ),
            action=("Mend the sender, then `twin dlq replay`.",),
        ),
    ),
)
"""Pipeline rules, most urgent first."""
