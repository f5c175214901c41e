"""Age and lateness of reports: silence, gaps that are played back, order of arrival."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twin.report_ages import NS_PER_S, ReportAges, watch_columns

T = 1_800_000_000 * NS_PER_S


def s(seconds: float) -> int:
    return T + round(seconds * NS_PER_S)


def stamps(*seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([s(one) for one in seconds], dtype=np.int64)


def test_a_satellite_that_reports_is_as_old_as_its_report_and_not_overdue() -> None:
    ages = ReportAges(2)
    for at in (0, 10, 20):
        ages.hear([0, 1], stamps(at, at), s(at))
    assert ages.at(s(25)).tolist() == [[5.0, 0.0], [5.0, 0.0]]


def test_silence_is_overdue_from_the_first_report_that_is_missing() -> None:
    ages = ReportAges(1)
    for at in (0, 10):
        ages.hear([0], stamps(at), s(at))
    assert ages.at(s(20)).tolist() == [[10.0, 0.0]]
    assert ages.at(s(141)).tolist() == [[131.0, 121.0]]


def test_who_was_never_heard_is_nothing() -> None:
    ages = ReportAges(1)
    ages.hear([0], stamps(0), s(0))
    ages.grow(3)
    table = ages.at(s(50))
    assert table[0].tolist() == [50.0, 50.0]
    assert np.isnan(table[1:]).all()


def test_out_of_contact_is_late_and_not_dead() -> None:
    ages = ReportAges(1)
    for at in (0, 10):
        ages.hear([0], stamps(at), s(at))
    ages.contact([0], False, s(15))
    assert ages.at(s(3000)).tolist() == [[2990.0, 0.0]]
    ages.contact([0], True, s(3010))
    assert ages.at(s(3019)).tolist() == [[3009.0, 0.0]]
    assert ages.at(s(3050)).tolist() == [[3040.0, 30.0]]
    ages.contact([0], True, s(3045))  # said again: it began at 3010
    assert ages.at(s(3050))[0, 1] == 30.0
    ages.hear([0, 0, 0], stamps(20, 30, 40), s(3051))  # what it recorded comes oldest first
    assert ages.at(s(3055)).tolist() == [[3015.0, 0.0]]


def test_silent_are_those_overdue_of_those_that_were_heard_and_are_in_contact() -> None:
    ages = ReportAges(5)
    for at in (0, 10):
        ages.hear([0, 1, 2, 3], stamps(at, at, at, at), s(at))
    ages.hear([0], stamps(100), s(100))
    ages.contact([3], False, s(20))
    assert ages.silence(ages.at(s(140))).tolist() == [0.0, 3.0]  # overdue by 120 s exactly
    assert ages.silence(ages.at(s(141))).tolist() == [2.0, 3.0]
    ages.contact([2], False, s(145))  # it may be well behind the horizon
    assert ages.silence(ages.at(s(150))).tolist() == [1.0, 2.0]
    ages.retire([1])
    table = ages.at(s(150))
    told = watch_columns(table, ages.silence(table))["fleet_watch"]
    assert {name: cells.tolist() for name, cells in told.items()} == {
        "silent_count": [0.0],
        "reachable_count": [1.0],
    }


def test_a_lost_frame_does_not_make_the_interval_longer() -> None:
    ages = ReportAges(1)
    for at in (0, 10, 40, 50):
        ages.hear([0], stamps(at), s(at))
    assert ages.at(s(100)).tolist() == [[50.0, 40.0]]


@given(st.permutations([0, 10, 20, 30, 40]), st.integers(0, 4))
def test_law_order_of_arrival_does_not_change_the_age(order: list[int], split: int) -> None:
    ages = ReportAges(1)
    for part in (order[:split], order[split:]):
        ages.hear([0] * len(part), stamps(*part), s(40))
    assert ages.at(s(47))[0, 0] == 7.0
