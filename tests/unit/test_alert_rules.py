"""The rules as data: complete, consistent, and with thresholds that the dictionary knows."""

from dataclasses import replace

import pytest

from dashboards.build import dashboards
from twin.alert_conditions import OPS_MEASUREMENT, Comparison
from twin.alerts import RULES, Condition, Reading, Rule, Threshold, last, limit_of, rule_by_name
from twin.channels import BUS_CHANNELS, BUS_MEASUREMENT, FLEET_MEASUREMENT, PLANE_MEASUREMENT
from twin.report_ages import FIELDS, FLEET_FIELDS
from twin.rollups import REPORTED

WATCH_FIELDS = set(FIELDS)


def comparisons(rule: Rule) -> list[Comparison]:
    return [rule.condition.fires, rule.condition.stays, *rule.condition.when]


def thresholds(rule: Rule) -> list[Threshold]:
    sides = [side for one in comparisons(rule) for side in (one.above, one.below)]
    return [side for side in sides if side is not None]


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert len({rule.title for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_reads_fields_that_exist(rule: Rule) -> None:
    known = {
        BUS_MEASUREMENT: {channel.name for channel in BUS_CHANNELS},
        FLEET_MEASUREMENT: set(REPORTED),
        PLANE_MEASUREMENT: set(REPORTED),
        "sat_watch": WATCH_FIELDS,
        "fleet_watch": set(FLEET_FIELDS),
    }
    fields = {reading.field for reading in rule.condition.readings()}
    if rule.condition.measurement != OPS_MEASUREMENT:  # those: tests/services/test_rule_metrics.py
        assert fields <= known[rule.condition.measurement]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_threshold_on_a_limited_channel_is_the_dictionarys(rule: Rule) -> None:
    """The value that fires is compared with the channel's own limit wherever it has one."""
    by_name = {channel.name: channel for channel in BUS_CHANNELS}
    value = rule.condition.value
    if not isinstance(value, Reading) or value.reducer not in {"last", "min", "max"}:
        return
    if value.field not in by_name:
        return
    limits = by_name[value.field].limits
    for side, low in ((rule.condition.below, True), (rule.condition.above, False)):
        has = (limits.critical_low, limits.warning_low) if low else (
            limits.critical_high, limits.warning_high,
        )  # fmt: skip
        if side is not None and any(one is not None for one in has):
            assert side.limit is not None, f"{rule.name}: {side}"


def test_a_rule_on_one_channel_shows_the_dictionarys_unit() -> None:
    units = {row.name: row.unit for row in BUS_CHANNELS}
    plain = [
        (rule, rule.condition.value.field)
        for rule in RULES
        if isinstance(rule.condition.value, Reading) and rule.condition.value.reducer != "count"
    ]
    wrong = {rule.name for rule, field in plain if rule.unit != units.get(field, rule.unit)}
    assert sum(field in units for _, field in plain) > 20
    assert not wrong


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_thresholds_survive_grafana_9_and_say_where_they_are_from(rule: Rule) -> None:
    for threshold in thresholds(rule):
        assert float(f"{threshold.value:f}") == threshold.value  # printed with six decimals
        assert threshold.source


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_texts_are_there(rule: Rule) -> None:
    book = rule.runbook
    assert len(book.meaning) > 40 and len(book.impact) > 30
    assert len(book.diagnosis) >= 2 and len(book.action) >= 1
    labels = {tag: tag.upper() for tag in rule.tags}
    assert ("{value}" in rule.summary) == ("12.35" in rule.summary_of(labels, 12.345678))
    assert any(label in rule.summary_of(labels, 1.0) for label in labels.values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_dashboard_link_leads_to_a_panel_that_is_there(rule: Rule) -> None:
    boards = {board.uid: board for board in dashboards()}
    if rule.dashboard.uid in boards:
        assert rule.dashboard.panel
        assert rule.dashboard.panel in {panel.key for panel in boards[rule.dashboard.uid].panels}


def test_wrong_rules_are_refused() -> None:
    rule = rule_by_name()["battery_critical"]
    for change, message in (
        ({"name": "Battery Low"}, "snake_case"),
        ({"for_s": 15.0}, "multiple of 10"),
        ({"keep_firing_s": -10.0}, "multiple of 10"),
        ({"summary": "{accel} hot"}, "accel"),
        ({"dashboard": replace(rule.dashboard, uid="twin-nowhere")}, "twin-nowhere"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(rule, **change)  # type: ignore[arg-type]  # wrong on purpose
    soc = last("eps_soc_pct")
    low, high = Threshold(25.0, "test"), Threshold(30.0, "test")
    with pytest.raises(ValueError, match="needs a threshold"):
        Condition(BUS_MEASUREMENT, soc)
    with pytest.raises(ValueError, match="is always"):
        Condition(BUS_MEASUREMENT, soc, above=low, below=high)
    with pytest.raises(ValueError, match="beyond below"):
        Condition(BUS_MEASUREMENT, soc, below=high, clear=low)
    with pytest.raises(ValueError, match="beyond above"):
        Condition(BUS_MEASUREMENT, soc, above=low, clear=high)
    with pytest.raises(ValueError, match="no such measurement"):
        Condition("nowhere", soc, above=low)
    with pytest.raises(ValueError, match="no critical_high"):
        limit_of("eps_soc_pct", "critical_high")
