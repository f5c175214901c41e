from twin.clock import gmst_rad, julian_date, tick_at, tick_elapsed_s, unix_s


def test_julian_date_is_midnight_and_a_fraction_even_across_days() -> None:
    # 2000-01-01T12:00 UTC is JD 2451545.0 by definition.
    assert julian_date(946_728_000.0) == (2_451_544.5, 0.5)
    assert julian_date(946_728_000.0, 43_200.0) == (2_451_545.5, 0.0)
    assert julian_date(946_728_000.0, -43_201.0) == (2_451_543.5, 86_399.0 / 86_400.0)


def test_a_tenth_of_a_millisecond_survives_the_julian_date() -> None:
    epoch_unix_s = 1_785_067_200.0
    whole, fraction = julian_date(epoch_unix_s, 86_400.0 * 30 + 1e-4)
    assert abs((fraction - 0.5) * 86_400.0 - 1e-4) < 1e-9
    assert abs(unix_s(whole, fraction) - (epoch_unix_s + 86_400.0 * 30 + 1e-4)) < 5e-7


def test_sidereal_time_gains_one_turn_in_a_year() -> None:
    day = 86_400.0
    gain_rad = gmst_rad(946_728_000.0, day) - gmst_rad(946_728_000.0)
    assert abs(gain_rad * 365.25 / 6.283185307 - 1.0) < 1e-4


def test_every_tick_maps_to_itself_whatever_the_step() -> None:
    for step_s in (0.1, 0.3, 1.0, 10.0, 1.0 / 3.0):
        for tick in (0, 1, 3, 7, 1_000_003, 86_400_001):
            assert tick_at(tick_elapsed_s(tick, step_s), step_s) == tick
            assert tick_at(tick_elapsed_s(tick, step_s) + 0.4 * step_s, step_s) == tick
