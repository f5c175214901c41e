"""Rules of radiation and its effects: judged against the map of the place, not against zero."""

from typing import Final

from twin.alert_conditions import Comparison, Condition, Reading, Threshold, growth, last, limit_of
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.alert_rules.places import strip
from twin.channels import BUS_MEASUREMENT
from twin.radiation import DOSE_PER_SDC_RAD, DOSE_PER_UECC_RAD

NORM: Final = 5.0
"""Events above this many times the map's are no chance of the place; fleet survey 5.3 (A)."""
HALF_HOUR_H: Final = 0.5
SDC_PER_UECC: Final = DOSE_PER_UECC_RAD / DOSE_PER_SDC_RAD

RULES: Final = (
    Rule(
        name="memory_errors_above_map",
        title="Memory errors beyond what the place explains",
        subsystem="see",
        severity="critical",
        cause="upsets",
        condition=Condition(
            BUS_MEASUREMENT,
            growth("see_uecc_count")
            - Reading("see_uecc_model_per_h", "mean") * (NORM * HALF_HOUR_H),
            above=Threshold(4.0, "errors more than five times the map's in half an hour (A)"),
            window_s=1800.0,
        ),
        for_s=0.0,
        keep_firing_s=600.0,
        dashboard=strip("see_canary_fail_count"),
        summary="{sat}: {value} uncorrectable memory errors more than five times the map's",
        runbook=Runbook(
            meaning="Double-bit errors of accelerator memory in the last half hour, less five "
            "times "
            "what the particle map expects on this path. A pass through the South Atlantic Anomaly "
            "is in the map and does not page.",
            impact="Each error kills a job or an accelerator's context; training restarts from its "
            "checkpoint.",
            diagnosis=(
                "Dose rate above the map as well: a storm, look at the fleet rule.",
                "One accelerator: wear. All of them: power or temperature of the memory.",
                "Rows remapped, or remapping failed: the part is at its end.",
            ),
            action=(
                "Drain and reset the accelerator (Xid 48, 95); retire it when remapping fails.",
                "Raise the scrub rate and checkpoint more often until it is quiet.",
            ),
        ),
    ),
    Rule(
        name="silent_corruption",
        title="Silent corruption found",
        subsystem="see",
        severity="critical",
        cause="upsets",
        condition=Condition(
            BUS_MEASUREMENT,
            growth("see_canary_fail_count")
            - Reading("see_uecc_model_per_h", "mean") * (NORM * HALF_HOUR_H * SDC_PER_UECC),
            above=Threshold(4.0, "failed tests more than five times the map's in half an hour (A)"),
            window_s=1800.0,
        ),
        for_s=0.0,
        keep_firing_s=600.0,
        dashboard=strip("see_canary_fail_count"),
        summary="{sat}: {value} failed known-answer tests more than five times the map's",
        runbook=Runbook(
            meaning="Known-answer tests fail more often than the place explains: something "
            "computes "
            "wrong results, and no hardware counter shows it.",
            impact="Results since the last good test are not to be trusted; a training run that "
            "took "
            "a wrong gradient may be spoilt.",
            diagnosis=(
                "Which accelerator fails? The same one twice: the part, not the particle.",
                "Storm at the same time? Then all satellites at high latitude have it.",
            ),
            action=(
                "Quarantine the accelerator; recompute since the last good test.",
                "Move training to protected nodes, keep inference with votes.",
            ),
        ),
    ),
    Rule(
        name="accelerators_hang",
        title="Accelerators hang again and again",
        subsystem="see",
        severity="critical",
        cause="upsets",
        condition=Condition(
            BUS_MEASUREMENT,
            growth("see_accel_sefi_count"),
            above=Threshold(2.0, "nature has one in months on a satellite (S2, computed)"),
            window_s=3600.0,
        ),
        for_s=0.0,
        keep_firing_s=600.0,
        dashboard=strip("accel_available_pct"),
        summary="{sat}: {value} functional interrupts of accelerators in an hour",
        runbook=Runbook(
            meaning="Accelerators fell out of function several times within an hour. One such "
            "event "
            "is a particle; several are a fault.",
            impact="Utilisation drops to 0 on each until it is reset (Xid 79 or 119).",
            diagnosis=(
                "All on one rail or board: power. After a rollout: the driver.",
                "Spread over the satellite with a high dose rate: particles.",
            ),
            action=("Reset, power-cycle, reroute; take the board out at the third time.",),
        ),
    ),
    Rule(
        name="latchups_repeat",
        title="Latch-ups repeat",
        subsystem="see",
        severity="critical",
        cause="upsets",
        condition=Condition(
            BUS_MEASUREMENT,
            growth("see_latchup_count"),
            above=Threshold(1.0, "the second one is quarantine, fleet survey 5.3 (A)"),
            window_s=3600.0,
        ),
        for_s=0.0,
        keep_firing_s=600.0,
        dashboard=strip("accel_available_pct"),
        summary="{sat}: rails cut {value} times in an hour",
        runbook=Runbook(
            meaning="The current limiter cut rails more than once within an hour: parts latch up.",
            impact="A latched part that is not cut burns out within seconds.",
            diagnosis=(
                "The same rail: the part is damaged. Different rails: a particle storm.",
                "Current of the rail before the cut, and temperature beside it?",
            ),
            action=(
                "Leave the rail off for ten seconds or more; start it once.",
                "Quarantine the part at the second cut.",
            ),
        ),
    ),
    Rule(
        name="dose_above_map",
        title="Dose rate far above the map",
        subsystem="rad",
        severity="warning",
        cause="radiation_storm",
        condition=Condition(
            BUS_MEASUREMENT,
            last("rad_dose_rate_rad_day") / last("rad_dose_model_rad_day"),
            above=Threshold(5.0, "times the place's norm, fleet survey 5.3 (A)"),
            when=(
                Comparison(
                    last("rad_dose_rate_rad_day"),
                    above=Threshold(0.5, "rad a day: the mean of a low polar orbit (S2, computed)"),
                ),
            ),
        ),
        for_s=60.0,
        keep_firing_s=600.0,
        dashboard=Dashboard("twin-radiation", "dose-model"),
        summary="{sat}: dose rate {value} times what the map expects here",
        runbook=Runbook(
            meaning="The dose rate is several times what trapped particles and cosmic rays make at "
            "this place and height. The South Atlantic Anomaly is in the map; a storm is not.",
            impact="Upsets of all kinds rise with it. Only a ticket: the page is the fleet's "
            "(radiation_storm), a thousand of these would bury it.",
            diagnosis=(
                "NOAA S level? S1 and more: a solar particle event, only at high latitude.",
                "One satellite alone: its dosimeter, or the map (electrons of the outer belt).",
            ),
            action=(
                "Delay checkpoint writes, raise the scrub rate, hold unprotected jobs.",
                "Alone and lasting: mark the dosimeter.",
            ),
        ),
    ),
    Rule(
        name="dose_ageing",
        title="Memory near its dose limit",
        subsystem="rad",
        severity="warning",
        cause="ageing",
        condition=Condition(
            BUS_MEASUREMENT,
            last("rad_tid_rad"),
            above=limit_of("rad_tid_rad", "warning_high"),
        ),
        for_s=300.0,
        keep_firing_s=600.0,
        dashboard=strip("rad_tid_rad"),
        summary="{sat}: {value} rad so far",
        unit="rad",
        runbook=Runbook(
            meaning="The dose behind the shield comes near 2,000 rad, where irregularities of "
            "high-bandwidth memory began in the beam.",
            impact="Corrected errors will grow and the memory's clock margin shrink, over months.",
            diagnosis=(
                "Is the slope that of the orbit, or did a storm add a step?",
                "Clock margin below 100 %: ageing has begun.",
            ),
            action=(
                "Derate the memory clock; move the node to inference.",
                "Plan its replacement.",
            ),
        ),
    ),
)
"""Radiation rules, most urgent first."""
