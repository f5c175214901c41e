"""The instant of truth of a rule: windows that steady a reading go, windows that compare stay."""

import math

import numpy as np
import pytest

from twin.alert_conditions import Reading, last
from twin.alerts import RULES
from twin.channels import FLEET_MEASUREMENT
from twin.drill_truth import Record, instant_condition

BY_NAME = {rule.name: rule for rule in RULES}


def test_a_mean_that_only_steadies_is_taken_as_the_newest_value() -> None:
    found = instant_condition(BY_NAME["thermal_margin_gone"].condition)
    assert found.value == last("tcs_margin_k")


def test_what_a_field_was_within_the_window_stays_beside_what_it_is() -> None:
    condition = BY_NAME["network_split"].condition
    assert instant_condition(condition) == condition
    in_contact = instant_condition(BY_NAME["contact_lost"].condition).when[0].value
    assert in_contact == BY_NAME["contact_lost"].condition.when[0].value


def test_least_and_mean_of_one_field_are_no_comparison_with_its_past() -> None:
    found = instant_condition(BY_NAME["rollout_failing"].condition)
    assert found.when[0].value == Reading("new_image_count", "last")


@pytest.mark.parametrize(("parts", "largest_pct", "splits"), [(2, 60.0, True), (1, 100.0, False)])
def test_a_split_is_true_at_the_look_that_shows_it(
    parts: int, largest_pct: float, splits: bool
) -> None:
    record = Record([BY_NAME["network_split"]], {FLEET_MEASUREMENT: 1}, instant=True)
    for time_s in (0.0, 10.0, 20.0, 30.0):
        late = time_s >= 20.0
        fields = {"isl_parts_count": parts if late else 1, "isl_largest_pct": largest_pct}
        if not late:
            fields["isl_largest_pct"] = 100.0
        row = {name: np.array([float(value)]) for name, value in fields.items()}
        record.observe(time_s, {FLEET_MEASUREMENT: row})
        record.take(time_s)
    true_s = record.first_true_s("network_split", 0, 0.0)
    assert 10.0 <= true_s <= 20.0 if splits else math.isnan(true_s)
