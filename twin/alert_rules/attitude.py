"""Rules of attitude, orbit and deployment."""

from typing import Final

from twin.alert_conditions import Comparison, Condition, Reading, Threshold, last, limit_of
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.alert_rules.places import STATES, strip
from twin.channels import BUS_MEASUREMENT, PLANE_MEASUREMENT

RULES: Final = (
    Rule(
        name="tumbling",
        title="Satellite is tumbling",
        subsystem="aocs",
        severity="critical",
        cause="attitude",
        condition=Condition(
            BUS_MEASUREMENT,
            last("aocs_rate_deg_s"),
            above=limit_of("aocs_rate_deg_s", "critical_high"),
            clear=Threshold(0.4, "a fifth below the limit (A)"),
        ),
        for_s=20.0,
        keep_firing_s=60.0,
        dashboard=strip("aocs_rate_deg_s"),
        summary="{sat}: turning at {value} deg/s",
        unit="deg/s",
        runbook=Runbook(
            meaning="The body turns far faster than facing the Earth needs: control is lost or a "
            "torque (a vent, a stuck wheel) beats it.",
            impact="The array sees the Sun for half of each turn, laser links point nowhere, the "
            "radiator is lit, drag is up to ten times larger.",
            diagnosis=(
                "Did a manoeuvre or a rollout begin just before?",
                "Rate still rising: a torque acts. Falling: control is braking, wait.",
                "Coolant level falling at the same time: the torque may be a vent.",
            ),
            action=(
                "Command safe mode; detumble.",
                "Move its jobs: no link will come back before the body is still.",
                "Warn conjunction screening: the decay rate has changed.",
            ),
        ),
    ),
    Rule(
        name="sun_pointing_lost",
        title="Sun pointing lost",
        subsystem="aocs",
        severity="critical",
        cause="attitude",
        condition=Condition(
            BUS_MEASUREMENT,
            last("aocs_sun_err_deg"),
            above=limit_of("aocs_sun_err_deg", "critical_high"),
            clear=Threshold(8.0, "a fifth below the limit (A)"),
        ),
        for_s=120.0,
        keep_firing_s=60.0,
        dashboard=strip("aocs_sun_err_deg"),
        summary="{sat}: {value} deg off the Sun",
        unit="deg",
        runbook=Runbook(
            meaning="The body has been turned away from its Sun attitude for minutes.",
            impact="Array power falls with the cosine, laser links are down, the radiator sees "
            "the Sun.",
            diagnosis=(
                "A planned slew (collision avoidance) ends by itself: is one in the plan?",
                "Body rate high: see tumbling. Rate normal: a wrong target or a sensor.",
            ),
            action=(
                "Not planned: command the Sun attitude, safe mode if it does not follow.",
                "Planned: move jobs before the next burn, mute for its length.",
            ),
        ),
    ),
    Rule(
        name="decay_above_model",
        title="Orbit decays faster than forecast",
        subsystem="orb",
        severity="warning",
        cause="drag",
        condition=Condition(
            BUS_MEASUREMENT,
            last("orb_sma_decay_m_day") / last("orb_decay_model_m_day"),
            above=Threshold(1.5, "times the forecast, fleet survey 5.3 (A)"),
            when=(
                Comparison(
                    last("orb_sma_decay_m_day"), above=Threshold(1.0, "m a day: worth knowing (A)")
                ),
            ),
        ),
        for_s=300.0,
        keep_firing_s=1800.0,
        dashboard=STATES,
        summary="{sat}: decay {value} times the forecast",
        runbook=Runbook(
            meaning="Drag takes more height than the forecast air and an edge-on body explain.",
            impact="Predictions run ahead of the satellite; conjunctions are screened with the "
            "wrong "
            "place, fuel goes to keeping height.",
            diagnosis=(
                "All satellites of a height: the air (fleet_decay, a geomagnetic storm).",
                "One: its attitude; a body turned across the flow has ten times the area.",
            ),
            action=(
                "Turn edge-on to the flow.",
                "Plan collision avoidance again with the new decay.",
            ),
        ),
    ),
    Rule(
        name="eclipse_unplanned",
        title="Eclipse outside of its season",
        subsystem="orb",
        severity="critical",
        cause="eclipse",
        condition=Condition(
            BUS_MEASUREMENT,
            last("orb_eclipse_season_day"),
            above=Threshold(4.0, "days: two steps of the forecast (definition)"),
            when=(
                Comparison(
                    last("orb_sunlit_frac"), below=Threshold(0.5, "half of the Sun (definition)")
                ),
            ),
        ),
        for_s=30.0,
        keep_firing_s=600.0,
        dashboard=strip("eps_soc_eclipse_end_pct"),
        summary="{sat}: in shadow although the next season is {value} days away",
        unit="day",
        runbook=Runbook(
            meaning="The satellite is in the Earth's shadow in a part of the year in which its "
            "orbit "
            "should have none. An eclipse that the season announces pages nobody; this one was not "
            "in the plan.",
            impact="No schedule of payload and heaters for it: charge and temperatures swing.",
            diagnosis=(
                "Beta angle against the orbit's: has a manoeuvre changed node or height?",
                "Do the neighbours of the plane see it too? If not, the Sun sensor.",
            ),
            action=(
                "Checkpoint, shed to the eclipse share, preheat the battery.",
                "Set the season's schedule for the whole plane before the next orbit.",
            ),
        ),
    ),
    Rule(
        name="eclipse_season_ahead",
        title="Eclipse season within 30 days",
        subsystem="orb",
        severity="warning",
        cause="eclipse",
        condition=Condition(
            PLANE_MEASUREMENT,
            last("season_min_day"),
            below=Threshold(30.0, "days to plan a season, fleet survey 5.4 (A)"),
        ),
        for_s=300.0,
        keep_firing_s=3600.0,
        dashboard=Dashboard("twin-power", "kpi-eclipse_count"),
        summary="{plane}: first eclipse in about {value} days",
        unit="day",
        runbook=Runbook(
            meaning="A forecast: within a month the plane's orbit, for a month without eclipses, "
            "will enter the Earth's shadow. Dawn-dusk orbits below 1,390 km do so every year.",
            impact="Up to 20 minutes of darkness an orbit for weeks: less payload power.",
            diagnosis=(
                "How deep does it get? Smallest beta of the season, minutes of shadow.",
                "Does stored energy carry the planned payload through the longest one?",
            ),
            action=(
                "Set the eclipse share of the payload, preheating and the tenants' plans.",
                "Move long jobs to planes without a season.",
            ),
        ),
    ),
    Rule(
        name="deployment_incomplete",
        title="Array or radiator not fully unfolded",
        subsystem="sat",
        severity="warning",
        cause="deployment",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("sat_deploy", "min"),
            above=limit_of("sat_deploy", "warning_high"),
            window_s=600.0,
        ),
        for_s=300.0,
        keep_firing_s=600.0,
        dashboard=STATES,
        summary="{sat}: deployment switch says {value} (1 partly, 2 stowed)",
        runbook=Runbook(
            meaning="For ten minutes the switches of array or radiator have said that a wing is "
            "not "
            "latched.",
            impact="Power and heat rejection are those of the part that is open.",
            diagnosis=(
                "Array power and radiator area half of the model: the wing. Both normal: the "
                "switch.",
                "During commissioning: still within the planned time?",
            ),
            action=(
                "Warm the hinge in sunlight and repeat the release.",
                "Run the payload within what is unfolded.",
            ),
        ),
    ),
)
"""Rules of attitude and orbit, most urgent first."""
