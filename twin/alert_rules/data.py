"""Rules of telemetry quality: silence, clocks, sensors."""

from typing import Final

from twin.alert_conditions import WATCH_MEASUREMENT, Condition, Threshold, last, limit_of
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.channels import BUS_MEASUREMENT

RULES: Final = (
    Rule(
        name="satellite_silent",
        title="Satellite is silent",
        subsystem="tm",
        severity="critical",
        cause="telemetry",
        condition=Condition(
            WATCH_MEASUREMENT,
            last("late_s"),
            above=Threshold(120.0, "telemetry age to warn at, section 5.3 of the fleet survey (A)"),
            window_s=60.0,
        ),
        for_s=0.0,
        keep_firing_s=0.0,
        dashboard=Dashboard("twin-satellite"),
        summary="{sat}: no report for {value} s although it could send",
        unit="s",
        runbook=Runbook(
            meaning="Reports are overdue by more than the limit although the satellite could send. "
            "Time out of contact does not count: it is late then, not dead, and plays its "
            "recorder back at the next pass.",
            impact="Nothing is known of the satellite; every other rule is blind to it.",
            diagnosis=(
                "Only this one, or the whole plane? A whole plane is a link or a gateway.",
                "Does ingest run (rules of the pipeline)? Then the cause is not up there.",
                "What did the last report say: charge, rate, mode?",
            ),
            action=(
                "Ask for housekeeping on the backup link.",
                "After two passes without a word treat as lost: move its jobs, tell operations.",
            ),
        ),
    ),
    Rule(
        name="clock_off",
        title="On-board clock is wrong",
        subsystem="obc",
        severity="critical",
        cause="clock",
        condition=Condition(
            BUS_MEASUREMENT,
            last("obc_clock_offset_ms"),
            above=limit_of("obc_clock_offset_ms", "critical_high"),
            below=limit_of("obc_clock_offset_ms", "critical_low"),
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=Dashboard("twin-satellite", "strip-obc_clock_offset_ms"),
        summary="{sat}: clock off by {value} ms",
        unit="ms",
        runbook=Runbook(
            meaning="Time correlation finds the on-board clock further from UTC than the critical "
            "limit. Telemetry is stamped by that clock.",
            impact="Its rows are at the wrong time: order against others is wrong, passes and "
            "manoeuvres that it times itself are too.",
            diagnosis=(
                "Slow growth: an oscillator without a navigation fix. A step: a reset.",
                "Others of the plane as well: the reference on the ground may be wrong.",
            ),
            action=(
                "Correlate and set the clock; stamp again what was stored meanwhile.",
                "Hold time-tagged commands until it is right.",
            ),
        ),
    ),
)
"""Rules of telemetry quality, most urgent first."""
