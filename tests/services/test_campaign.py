"""Campaigns: any order and any worker give the same bytes; what is there is not run again."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dask
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.campaign_case import CODE_VERSION, ChangedCodeError, run_case
from services.campaign_run import Results, plot_delays, run_on_dask, run_serial, summary_of
from services.drill_files import open_drill
from twin.campaigns import UNCERTAIN, CampaignError, Case, cases_of

DRILL = (Path(__file__).parents[1] / "data" / "trial_drill.yaml").read_text("utf-8")
POISON, EDITED = 0.77, 0.66
REASONS = (
    "RuntimeError: poison",
    f"ChangedCodeError: made by code edited, this campaign is of code {CODE_VERSION}: the code was "
    "changed meanwhile or a worker has another installation; start again",
)


@pytest.fixture(scope="module")
def drill_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("drill") / "trial.yaml"
    path.write_text(DRILL)
    return str(path)


def cases(path: str) -> list[Case]:
    drill, _ = open_drill(path)
    return cases_of(
        drill, seeds=1, severities=[0.1, 0.5, 1.0], targets=["sc_1", "sc_2"],
        draws=2, vary=["battery", "array-w"],
    )  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "results").iterdir()}


def run_or_fail(case: Case) -> bytes:
    """As the product runs it, but for a case that cannot be run and one on a worker of new code."""
    if case.severity == POISON:
        raise RuntimeError("poison")
    if case.severity == EDITED:
        with (
            patch("services.campaign_case.CODE_VERSION", "edited"),
            patch("services.campaign_case.code_on_disk", lambda: "edited"),
        ):
            return run_case(case)
    return run_case(case)


# Dask's own start and end of processes warn of sockets and of loops that are gone.
@pytest.mark.filterwarnings("ignore")
def test_with_all_workers_killed_and_a_poison_case_the_results_are_those_of_a_serial_run(
    drill_path: str, tmp_path: Path
) -> None:
    good = cases(drill_path)
    assert len(good) == 12
    strange = [replace(good[0], severity=one) for one in (POISON, EDITED)]
    wanted = [*good[:6], *strange, *good[6:]]
    serial, parallel = Results(tmp_path / "serial"), Results(tmp_path / "parallel")
    alone = run_serial(wanted, serial, run_or_fail)
    assert alone.ran == 12
    killed: list[int] = []

    def kill_all(count: int, client: Any) -> None:
        if count == 3:
            killed.extend(client.run(os.getpid).values())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    # A machine so busy that no worker is back before Dask would give it up for good.
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "10ms"}):
        first = run_on_dask(wanted, parallel, workers=2, work=run_or_fail, on_done=kill_all)
    assert len(killed) == 2
    assert first.ran == 12
    by_key = {parallel.path(one).stem: why for one, why in zip(strange, REASONS, strict=True)}
    assert first.failed == alone.failed == by_key
    assert parallel.missing(wanted) == strange  # not done: the next start runs them
    assert files(tmp_path / "serial") == files(tmp_path / "parallel")
    for name in sorted(files(tmp_path / "parallel"))[:3]:
        (tmp_path / "parallel" / "results" / name).unlink()
    again = run_serial(good, parallel)  # whichever way: only what is missing
    assert (again.ran, again.kept) == (3, 9)
    assert files(tmp_path / "serial") == files(tmp_path / "parallel")
    found = parallel.found(good)
    rows = summary_of(found, first)["by_severity"]
    assert [row["runs"] for row in rows] == [4] * 3
    assert rows[-1]["seen"] == 4
    plot_delays(found, tmp_path / "delays.png", "A pump stops")
    assert (tmp_path / "delays.png").stat().st_size > 5_000


def test_a_process_that_read_files_of_two_versions_makes_no_result(
    drill_path: str,
) -> None:
    case = replace(cases(drill_path)[0], drill=drill_path, digest="not yet opened")
    with (
        patch("services.campaign_case.code_on_disk", lambda: "edited"),
        pytest.raises(ChangedCodeError, match=f"changed from {CODE_VERSION} to edited; start"),
    ):
        run_case(case)


def test_a_case_is_named_by_what_it_is_and_by_the_code(drill_path: str) -> None:
    wanted = cases(drill_path)
    keys = [case.key("v1") for case in wanted]
    assert len(set(keys)) == len(keys)
    moved = Case(**{**vars(wanted[0]), "drill": "elsewhere.yaml"})
    assert moved.key("v1") == keys[0]
    assert wanted[0].key("v2") != keys[0]


def test_a_case_changes_what_it_says_and_nothing_else(drill_path: str) -> None:
    drill, build = open_drill(drill_path)
    case = next(one for one in cases(drill_path) if one.factors and one.target == "sc_2")
    factors = dict(case.factors)
    params = case.design(build.fleet.params)
    np.testing.assert_allclose(
        params.battery_capacity_j, build.fleet.params.battery_capacity_j * factors["battery"]
    )
    assert params.hard_fail_per_accel_year is build.fleet.params.hard_fail_per_accel_year
    (fault,) = case.applied(drill).faults.values()
    assert (fault.satellites, fault.severity) == (("sc_2",), case.severity)
    told = orjson.loads(run_case(case))
    assert told["case"]["factors"] == factors


@given(st.integers(0, 2**31), st.integers(0, 10_000), st.sampled_from(UNCERTAIN))
def test_law_a_draw_depends_on_its_number_alone_and_stays_in_its_law(
    seed: int, number: int, one: Any
) -> None:
    factor = one.drawn(seed, number)
    assert factor == one.drawn(seed, number)
    if one.law == "uniform":
        assert 1.0 - one.spread <= factor <= 1.0 + one.spread
    else:
        assert 0.0 < factor < np.exp(8.0 * one.spread)


def test_draws_have_the_stated_distribution() -> None:
    by_name = {one.name: one for one in UNCERTAIN}
    logs = np.log([by_name["cross-sections"].drawn(3, k) for k in range(4000)])
    assert abs(logs.mean()) < 0.05 and abs(logs.std() - 0.7) < 0.04
    flat = np.array([by_name["battery"].drawn(3, k) for k in range(4000)])
    assert abs(flat.mean() - 1.0) < 0.005 and abs(flat.std() - 0.1 / np.sqrt(3)) < 0.003


@pytest.mark.parametrize(
    "wrong",
    [{"vary": ["mood"], "draws": 2}, {"severities": [2.0]}, {"draws": 0}, {"vary": ["battery"]}],
)
def test_what_makes_no_sense_is_refused(drill_path: str, wrong: dict[str, Any]) -> None:
    drill, _ = open_drill(drill_path)
    with pytest.raises(CampaignError, match=r"allowed|needs"):
        cases_of(drill, **({"seeds": 1} | wrong))
