"""Events depend on the integrated hazard only: not on the step, the shard or the kind's row."""

from dataclasses import fields, replace

import numpy as np
import pytest
from factories import make_environment

from twin.noise import satellite_keys
from twin.radiation import (
    Hazard,
    advance_hazard,
    dose_rate_rad_s,
    host_count,
    initial_hazard,
    see_rate_per_s,
)
from twin.state import SEE_KINDS, Environment, FleetParams

KEYS = satellite_keys([f"SAT_{i}" for i in range(300)])
SPAN_S = 3600.0


def _rate(minute: int) -> np.ndarray:
    # A passage through the anomaly: most minutes quiet, a few with several events per minute.
    scale = 0.2 if 20 <= minute < 28 else 1e-4
    return scale * (1.0 + np.arange(300)[:, None] % 5) * np.linspace(0.2, 1.0, len(SEE_KINDS))


def _run(step_s: float, rows: slice = slice(None)) -> tuple[Hazard, int, int]:
    keys = KEYS[rows]
    hazard = initial_hazard(9, keys)
    new, most = 0, 0
    for k in range(round(SPAN_S / step_s)):
        rate = _rate(int(k * step_s // 60.0))[rows]
        hazard = advance_hazard(hazard, rate, step_s, 9, keys)
        new += int(hazard.new_event_count.sum())
        most = max(most, int(hazard.new_event_count.max()))
    return hazard, new, most


def test_law_steps_of_1_10_and_60_s_give_the_same_events() -> None:
    fine, fine_new, _ = _run(1.0)
    for step_s in (10.0, 60.0):
        coarse, coarse_new, most = _run(step_s)
        assert np.array_equal(coarse.event_count, fine.event_count)
        assert coarse_new == fine_new == fine.event_count.sum()
        assert np.allclose(coarse.threshold_count, fine.threshold_count, rtol=1e-12)
        assert most > 1
    assert fine.event_count.sum() > 10_000


def test_law_shards_have_the_events_of_the_whole() -> None:
    whole, _, _ = _run(10.0)
    for rows in (slice(0, 1), slice(17, 60), slice(299, 300)):
        part, _, _ = _run(10.0, rows)
        assert part.event_count.tobytes() == whole.event_count[rows].tobytes()
        assert part.threshold_count.tobytes() == whole.threshold_count[rows].tobytes()


def test_law_threshold_stays_ahead_and_inputs_stay_untouched() -> None:
    before = initial_hazard(9, KEYS)
    copies = [np.array(part) for part in before]
    after = advance_hazard(before, np.full((300, 7), 3.0), 10.0, 9, KEYS)
    assert all(np.array_equal(a, b) for a, b in zip(before, copies, strict=True))
    assert np.all(after.threshold_count > after.hazard_count)
    assert np.array_equal(after.new_event_count, after.event_count - before.event_count)
    still = advance_hazard(after, np.zeros((300, 7)), 10.0, 9, KEYS)
    assert still.new_event_count.sum() == 0
    lost = advance_hazard(after, np.full((300, 7), np.nan), 10.0, 9, KEYS)
    assert np.array_equal(lost.hazard_count, after.hazard_count)


def _params(**given: float) -> FleetParams:
    values = dict.fromkeys((f.name for f in fields(FleetParams)), np.zeros(1))
    values.update({name: np.array([value]) for name, value in given.items()})
    return FleetParams(**values)  # type: ignore[arg-type]


def _fluxes(**given: float) -> Environment:
    around = make_environment(0.0, 1)
    none = dict.fromkeys(("proton", "electron", "gcr", "spe"), 0.0) | given
    return replace(around, **{f"{k}_flux_cm2_s": np.array([v]) for k, v in none.items()})


ONE = {
    "accel_count": 1,
    "shield_dose_frac": 1.0,
    "shield_spe_frac": 1.0,
    "see_sensitivity_frac": 1.0,
}


def test_law_rates_per_chip_year_at_150_rad_are_the_published_ones() -> None:
    # arXiv:2511.19468 v2: SDC 8.8, UECC 3.4, SEFI 0.03, host CPU 0.33, host RAM 0.375.
    year_s = 31_557_600.0
    around = _fluxes(proton=150.0 / year_s * 7.9e6)
    params = _params(**ONE, sel_per_accel_year=0.5)
    yearly = dict(zip(SEE_KINDS, see_rate_per_s(around, params)[0] * year_s, strict=True))
    published = {"sdc": 8.8, "hbm_uecc": 3.4, "accel_sefi": 0.03, "host_cpu_sefi": 0.333}
    published |= {"host_ram_sefi": 0.375, "sel": 0.5, "hard_fail": 0.0}
    for kind, value in published.items():
        assert yearly[kind] == pytest.approx(value, rel=0.01), kind
    assert dose_rate_rad_s(around, params)[0] * year_s == pytest.approx(150.0)


@pytest.mark.parametrize(
    ("particle", "shield"), [("proton", "shield_dose_frac"), ("spe", "shield_spe_frac")]
)
def test_law_shield_and_number_scale_the_rates(particle: str, shield: str) -> None:
    around = _fluxes(**{particle: 1000.0})
    base = see_rate_per_s(around, _params(**ONE))[0]
    thin = see_rate_per_s(around, _params(**{**ONE, shield: 40.0}))[0]
    thick = see_rate_per_s(around, _params(**{**ONE, shield: 0.5}))[0]
    many = see_rate_per_s(around, _params(**{**ONE, "accel_count": 72}))[0]
    assert base[0] > 0.0
    assert np.allclose(thin, base)
    assert np.allclose(thick, 0.5 * base)
    assert np.allclose(many[:3], 72.0 * base[:3])
    assert np.allclose(many[3:5], 9.0 * base[3:5])
    assert host_count(np.array([0, 1, 8, 9, 72])).tolist() == [0, 1, 1, 2, 9]


def test_law_dose_adds_up_over_the_kinds_of_particles() -> None:
    params = _params(**ONE, shield_electron_rad_cm2=1e-9)
    kinds = {"proton": 40.0, "electron": 3000.0, "gcr": 0.5, "spe": 100.0}
    single = [dose_rate_rad_s(_fluxes(**{k: v}), params)[0] for k, v in kinds.items()]
    assert min(single) > 0.0
    assert dose_rate_rad_s(_fluxes(**kinds), params)[0] == pytest.approx(sum(single))
    # Electrons give dose and no events.
    assert see_rate_per_s(_fluxes(electron=1e6), params)[0, :5].tolist() == [0.0] * 5
