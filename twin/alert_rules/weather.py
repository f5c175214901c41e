"""Rules of space weather: a storm strikes a thousand satellites and makes one page."""

from typing import Final

from twin.alert_conditions import Condition, Threshold, last
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.channels import FLEET_MEASUREMENT

RULES: Final = (
    Rule(
        name="radiation_storm",
        title="Solar radiation storm, S3 or stronger",
        subsystem="swx",
        severity="critical",
        cause="radiation_storm",
        condition=Condition(
            FLEET_MEASUREMENT,
            last("s_level_max"),
            above=Threshold(2.5, "NOAA S3, critical in fleet survey 5.3 (A)"),
        ),
        for_s=0.0,
        keep_firing_s=1800.0,
        dashboard=Dashboard("twin-radiation", "storm"),
        summary="{fleet}: NOAA S{value}",
        runbook=Runbook(
            meaning="Protons of a solar particle event reach the polar caps at a thousand times "
            "the "
            "quiet flux and more. It lasts one to three days.",
            impact="Upsets grow by ten and more on polar orbits, star trackers drop out, arrays "
            "lose "
            "a per cent or two for good. Orbits of 30 degrees hardly notice.",
            diagnosis=(
                "How strong, and still rising? The rise takes half an hour to two hours.",
                "Which planes go over the poles? Those satellites carry the risk.",
            ),
            action=(
                "S3: checkpoint, then drain training from polar shells.",
                "S4: compute on polar shells safe; low inclinations keep serving.",
                "Expect tickets of satellites with the same cause; do not chase them one by one.",
            ),
        ),
    ),
    Rule(
        name="radiation_storm_begins",
        title="Solar radiation storm begins",
        subsystem="swx",
        severity="info",
        cause="radiation_storm",
        condition=Condition(
            FLEET_MEASUREMENT,
            last("s_level_max"),
            above=Threshold(0.5, "NOAA S1 (definition)"),
        ),
        for_s=0.0,
        keep_firing_s=1800.0,
        dashboard=Dashboard("twin-radiation", "storm"),
        summary="{fleet}: NOAA S{value}",
        runbook=Runbook(
            meaning="The flux of solar protons has passed NOAA's threshold of an event (S1).",
            impact="None at S1 and little at S2: it is the notice before a storm that may grow.",
            diagnosis=(
                "Follow the flux for an hour: will it pass S3?",
                "What runs on polar shells that could not be lost?",
            ),
            action=("Shorten checkpoint intervals on polar shells; hold risky commands.",),
        ),
    ),
    Rule(
        name="geomagnetic_storm",
        title="Geomagnetic storm, G3 or stronger",
        subsystem="swx",
        severity="warning",
        cause="geomagnetic_storm",
        condition=Condition(
            FLEET_MEASUREMENT,
            last("g_level_max"),
            above=Threshold(2.5, "NOAA G3: drag becomes a matter of days (A)"),
        ),
        for_s=0.0,
        keep_firing_s=3600.0,
        dashboard=Dashboard("twin-radiation", "storm"),
        summary="{fleet}: NOAA G{value}",
        runbook=Runbook(
            meaning="A geomagnetic storm heats the upper air, which swells: more drag for days, "
            "and "
            "particles reach lower latitudes than usual.",
            impact="Predicted places are wrong within hours; lasers lose a decibel of pointing.",
            diagnosis=(
                "Decay against the model (fleet_decay): how much, and at which heights?",
                "Conjunction warnings rising? They are screened with old predictions.",
            ),
            action=(
                "Freeze rollouts and manoeuvres that can wait.",
                "Edge-on attitude for the lowest shells.",
            ),
        ),
    ),
    Rule(
        name="fleet_decay",
        title="The fleet decays far faster than forecast",
        subsystem="orb",
        severity="critical",
        cause="geomagnetic_storm",
        condition=Condition(
            FLEET_MEASUREMENT,
            last("decay_mean_m_day") / last("decay_model_mean_m_day"),
            above=Threshold(3.0, "times the forecast, fleet survey 5.3 (A)"),
            clear=Threshold(2.0, "hysteresis (A)"),
        ),
        for_s=300.0,
        keep_firing_s=3600.0,
        dashboard=Dashboard("twin-radiation", "kpi-g_level_max"),
        summary="{fleet}: mean decay {value} times the forecast",
        runbook=Runbook(
            meaning="Averaged over the fleet drag takes three times the height that was forecast.",
            impact="In February 2022 a minor storm took 40 of 49 low satellites; in May 2024 half "
            "of "
            "all active satellites manoeuvred at once.",
            diagnosis=(
                "A storm (G level), or one satellite that tumbles very low and makes the mean?",
                "Which heights? Below 300 km it is a matter of days.",
            ),
            action=(
                "Edge-on attitude, lowest satellites first; safe mode costs drag: avoid it.",
                "Plan collision avoidance anew; raise what cannot wait.",
            ),
        ),
    ),
)
"""Space-weather rules, most urgent first."""
