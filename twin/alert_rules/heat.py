"""Rules of dies, plates and radiators."""

from typing import Final

from twin.alert_conditions import Condition, Reading, Threshold, last, limit_of
from twin.alert_rule import Rule, Runbook
from twin.alert_rules.places import strip
from twin.channels import BUS_MEASUREMENT

RULES: Final = (
    Rule(
        name="die_over_throttle",
        title="Accelerators at their heat limit",
        subsystem="tcs",
        severity="critical",
        cause="heat",
        condition=Condition(
            BUS_MEASUREMENT,
            last("tcs_throttle_pct"),
            below=limit_of("tcs_throttle_pct", "critical_low"),
            clear=Threshold(75.0, "half way from the limit to an unthrottled clock (A)"),
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=strip("tcs_throttle_pct"),
        summary="{sat}: heat leaves {value} % of the clock",
        unit="%",
        runbook=Runbook(
            meaning="The hottest accelerator is so hot that its clock is cut below the critical "
            "limit. The limit follows each part's own throttle temperature.",
            impact="Work runs at a fraction of its speed; at 0 % the part has tripped.",
            diagnosis=(
                "Flow, radiator area and coolant level first: has the way of the heat changed?",
                "Neighbours hot as well, at the same time: see fleet_throttling.",
                "Radiator in the Sun: is attitude off?",
            ),
            action=(
                "Cap power first, then admit less work: retries make it worse.",
                "Isolate a punctured panel and plan for the area that is left.",
            ),
        ),
    ),
    Rule(
        name="thermal_margin_gone",
        title="No thermal margin left",
        subsystem="tcs",
        severity="warning",
        cause="heat",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("tcs_margin_k", "mean"),
            below=Threshold(2.0, "K below throttling: the swing of a control loop (A)"),
            window_s=300.0,
        ),
        for_s=120.0,
        keep_firing_s=600.0,
        dashboard=strip("tcs_die_max_t_c"),
        summary="{sat}: {value} K left before the clock is cut",
        unit="K",
        runbook=Runbook(
            meaning="Over five minutes the hottest die has been within 2 K of its own part's "
            "throttle temperature, or beyond. Judged by the margin, so it fits every part.",
            impact="The next hot orbit throttles; any loss of area or flow does so at once.",
            diagnosis=(
                "Season: high beta means no eclipse to cool down in. Compare with last week.",
                "Absorbed heat above model, or area below 100 %: the radiator has changed.",
                "More load than planned?",
            ),
            action=("Lower the payload's cap by a few per cent until the margin is back.",),
        ),
    ),
    Rule(
        name="radiator_lost",
        title="Radiator area lost",
        subsystem="tcs",
        severity="critical",
        cause="coolant",
        condition=Condition(
            BUS_MEASUREMENT,
            last("tcs_rad_area_pct"),
            below=limit_of("tcs_rad_area_pct", "critical_low"),
        ),
        for_s=30.0,
        keep_firing_s=300.0,
        dashboard=strip("tcs_rad_area_pct"),
        summary="{sat}: {value} % of the radiator left",
        unit="%",
        runbook=Runbook(
            meaning="A large part of the radiator is isolated or did not unfold.",
            impact="Heat that can be rejected goes with the area: the payload must follow it.",
            diagnosis=(
                "Coolant low as well: a puncture, its valves have closed.",
                "sat_deploy not 0: a hinge or a latch.",
            ),
            action=(
                "Limit the payload to the share of the area that is left.",
                "A panel that did not unfold: warm the hinge in sunlight, try again.",
            ),
        ),
    ),
    Rule(
        name="radiator_reduced",
        title="Radiator area reduced",
        subsystem="tcs",
        severity="warning",
        cause="coolant",
        condition=Condition(
            BUS_MEASUREMENT,
            last("tcs_rad_area_pct"),
            below=limit_of("tcs_rad_area_pct", "warning_low"),
        ),
        for_s=300.0,
        keep_firing_s=600.0,
        dashboard=strip("tcs_rad_area_pct"),
        summary="{sat}: {value} % of the radiator left",
        unit="%",
        runbook=Runbook(
            meaning="Some of the radiator is isolated, covered or folded.",
            impact="Little at first: margin in the hot season is gone.",
            diagnosis=(
                "Docked to a platform: a neighbour covers 5 % of its sky, as planned.",
                "Not planned: look for a puncture that closed early.",
            ),
            action=("Enter the area into the plan of payload power.",),
        ),
    ),
    Rule(
        name="radiator_absorbs",
        title="Radiator absorbs more than it should",
        subsystem="tcs",
        severity="warning",
        cause="coating",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("tcs_absorbed_excess_pct", "mean"),
            above=Threshold(3.0, "a quarter of the loss of a coating's life in sunlight (A)"),
            window_s=600.0,
        ),
        for_s=600.0,
        keep_firing_s=1800.0,
        dashboard=strip("tcs_rad_area_pct"),
        summary="{sat}: radiator absorbs {value} % more than a clean one",
        unit="%",
        runbook=Runbook(
            meaning="The radiator takes in more heat than a clean one would at the same place, "
            "attitude and season: its coating has darkened, or something warm is in its view. In "
            "the shadow a dark coating takes in no more than a clean one, so the mean of ten "
            "minutes falls there.",
            impact="It rejects less: in five years a coating can cost 40 % of the area.",
            diagnosis=(
                "A few per cent, for weeks: coating. More than half, since minutes: a neighbour.",
                "aocs_sun_err_deg off: the radiator sees the Sun; attitude is the cause.",
            ),
            action=(
                "Coating: lower the power cap for the hot season and plan with the new figure.",
                "Neighbours: change phase or attitude of the cluster.",
            ),
        ),
    ),
)
"""Heat rules, most urgent first."""
