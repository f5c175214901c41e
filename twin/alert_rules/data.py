"""Rules of telemetry quality: silence, clocks, sensors."""

from typing import Final

from twin.alert_conditions import (
    WATCH_MEASUREMENT,
    Comparison,
    Condition,
    Reading,
    Threshold,
    growth,
    last,
    limit_of,
)
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.alert_rules.places import STATES, strip
from twin.channels import BUS_MEASUREMENT
from twin.report_ages import SILENT_S

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
            above=Threshold(SILENT_S, "telemetry age to warn at, fleet survey 5.3 (A)"),
            window_s=60.0,
        ),
        for_s=0.0,
        keep_firing_s=0.0,
        dashboard=STATES,
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
        dashboard=strip("obc_clock_offset_ms"),
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
    Rule(
        name="clock_drifts",
        title="On-board clock drifts",
        subsystem="obc",
        severity="warning",
        cause="clock",
        condition=Condition(
            BUS_MEASUREMENT,
            last("obc_clock_offset_ms"),
            above=limit_of("obc_clock_offset_ms", "warning_high"),
            below=limit_of("obc_clock_offset_ms", "warning_low"),
        ),
        for_s=300.0,
        keep_firing_s=600.0,
        dashboard=strip("obc_clock_offset_ms"),
        summary="{sat}: clock off by {value} ms",
        unit="ms",
        runbook=Runbook(
            meaning="Time correlation finds the on-board clock further from UTC than the warning "
            "limit, for minutes.",
            impact="None yet for telemetry of seconds; laser acquisition and ranging suffer first.",
            diagnosis=(
                "A steady slope: the oscillator runs free, its navigation fix is gone.",
                "How long until 500 ms at this slope?",
            ),
            action=("Restore the fix or set the clock at the next pass.",),
        ),
    ),
    Rule(
        name="telemetry_gap",
        title="Reports are missing",
        subsystem="tm",
        severity="warning",
        cause="telemetry",
        condition=Condition(
            BUS_MEASUREMENT,
            growth("tm_seq") + 1.0 - Reading("tm_seq", "count"),
            above=Threshold(0.5, "a whole report (definition)"),
            window_s=600.0,
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-pipeline", "reporting"),
        summary="{sat}: {value} reports of the last ten minutes are missing",
        runbook=Runbook(
            meaning="Reports are numbered. Between the first and the last number of ten minutes "
            "some never reached the store.",
            impact="Holes in every plot; rules with windows judge by what is there.",
            diagnosis=(
                "The satellite just came into contact: it may still be playing its recorder back.",
                "Many satellites with the same hole: the way to the store, not the satellites.",
            ),
            action=("`twin gaps list`, then `twin gaps repair`: what can be made again is.",),
        ),
    ),
    Rule(
        name="sensor_stuck",
        title="A temperature sensor does not move",
        subsystem="tm",
        severity="warning",
        cause="sensor",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("tcs_rad_t_k", "spread")
            * Reading("tcs_coldplate_t_c", "spread")
            * Reading("tcs_bus_t_c", "spread")
            * Reading("tcs_loop_return_t_c", "spread")
            * 1.0e9,
            below=Threshold(0.5, "0 when one of four stands still; noise alone makes 1000 (A)"),
            when=(
                Comparison(
                    Reading("tcs_rad_t_k", "count"),
                    above=Threshold(8.5, "nine reports: noise must have had its chance (A)"),
                ),
            ),
            window_s=600.0,
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=strip("tcs_coldplate_t_c"),
        summary="{sat}: radiator, plate, bus or loop temperature has stood still for ten minutes",
        runbook=Runbook(
            meaning="One of four temperatures repeated exactly the same number for ten minutes. "
            "Real sensors have noise: this one is stuck.",
            impact="Whatever uses it (limits, heaters, this twin's residuals) is blind there.",
            diagnosis=(
                "Which one? The flat line on the satellite's page.",
                "All four of them: the multiplexer, or telemetry is repeated.",
            ),
            action=("Put the model's value in its place and flag the sensor.",),
        ),
    ),
    Rule(
        name="sensor_implausible",
        title="Cold plate hotter than the dies on it",
        subsystem="tm",
        severity="warning",
        cause="sensor",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("tcs_coldplate_t_c", "mean") - Reading("tcs_die_max_t_c", "mean"),
            above=Threshold(1.0, "K: ten times the sensors' noise (A)"),
            window_s=600.0,
        ),
        for_s=300.0,
        keep_firing_s=600.0,
        dashboard=strip("tcs_coldplate_t_c"),
        summary="{sat}: cold plate {value} K above the hottest die",
        unit="K",
        runbook=Runbook(
            meaning="Heat flows from dies to plate: a working die is hotter than its plate, an "
            "idle one as warm. The readings say otherwise: one of the sensors has drifted.",
            impact="Limits of the plate fire early or late; the throttle may act on a wrong "
            "number.",
            diagnosis=(
                "Compare both with the loop: which one left the pattern, and since when?",
                "A slope over days is the reference voltage of the converter.",
            ),
            action=("Recalibrate against the loop at low load; widen its limit until then.",),
        ),
    ),
)
"""Rules of telemetry quality, most urgent first."""
