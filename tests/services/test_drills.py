"""`twin drill`: a run off line is scored, the same to the byte, and ends with 1 when it fails."""

from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest
from typer.testing import CliRunner

from services.cli import app

DRILL = """
name: trial
title: A pump stops and an operator swaps it
about: The flow tells of it first; the operator heals it before the dies have been hot for long.
given:
  epoch: 2026-03-20T12:00:00Z
  step_s: 10
  fleet:
    - id: dawn
      preset: spacex-ai1
      report_interval_s: 10
      orbit: {train: {count: 24, altitude_km: 650, ltan_h: 6.0, gap_km: 50}}
quiet_s: 200
run_s: 600
inject:
  - {id: pump, fault: T1, at_s: 200, duration_s: 1000, satellites: [dawn_01]}
  - {id: store, pipeline: store-down, at_s: 200, duration_s: 60}
actions:
  - {at_s: 230, target: dawn_01, heal: T1}
  - {at_s: 300, target: dawn_02, safe_mode: true}
expect:
  - {rule: coolant_flow_lost, of: pump, within_s: 30, severity: critical, cause: coolant}
clear:
  - {rule: coolant_flow_lost, of: pump, within_s: 120}
forbid:
  - {rule: ingest_behind, reason: the store is back within a minute}
allow:
  - {rule: safe_mode, targets: [dawn_02], reason: the operator commands it}
"""


def run(folder: Path, text: str, *options: str) -> tuple[int, str]:
    path = folder / "trial.yaml"
    path.write_text(text)
    result = CliRunner().invoke(app, ["drill", "run", str(path), *options])
    return result.exit_code, result.output


def test_a_drill_is_scored_and_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    reports = []
    for number in range(2):
        names = [tmp_path / f"{number}.{kind}" for kind in ("json", "xml", "html")]
        options = zip(("--json", "--junit", "--html"), map(str, names), strict=True)
        code, output = run(tmp_path, DRILL, *(word for pair in options for word in pair))
        assert code == 0, output
        reports.append([name.read_bytes() for name in names])
    assert reports[0] == reports[1]
    found = orjson.loads(reports[0][0])
    (detection,) = found["detections"]
    assert detection["on"] == "dawn_01" and detection["outcome"] == "seen"
    assert 0.0 <= detection["delay_s"] <= detection["at_most_s"]
    assert found["passed"] and found["points"] == 100.0 and found["recoveries"][0]["in_time"]
    suite = ElementTree.fromstring(reports[0][1]).find("testsuite")
    assert suite is not None and suite.get("failures") == "0" and suite.get("tests") == "3"
    page = reports[0][2].decode()
    assert "<svg" in page and "0:03:20, dawn_01: Pump failure (T1), for " in page
    assert "Coolant flow lost (a page) fired on dawn_01 at 0:03:" in page
    assert "What had to stay quiet, and did" in page
    assert "late (a page): the store is back within a minute." in page
    assert "http://" not in page.replace("http://www.w3.org", ""), "needs nothing from elsewhere"


def test_a_drill_that_fails_says_why_and_ends_with_1(tmp_path: Path) -> None:
    text = DRILL.replace("rule: coolant_flow_lost, of: pump, within_s: 30", "rule: tumbling, of: "
                         "pump, within_s: 30", 1)  # fmt: skip
    code, output = run(tmp_path, text, "--junit", str(tmp_path / "out.xml"))
    assert code == 1 and "missed: tumbling on dawn_01" in output
    assert "false page: coolant_flow_lost on dawn_01" in output
    failures = ElementTree.parse(tmp_path / "out.xml").findall(".//failure")
    messages = [one.get("message", "") for one in failures]
    assert any(one.startswith("missed: tumbling") for one in messages)


def test_the_page_of_a_failing_drill_tells_what_was_missed_late_and_for_nothing(
    tmp_path: Path,
) -> None:
    text = DRILL.replace("of: pump, within_s: 30,", "of: pump, within_s: 5,", 1).replace(
        "clear:", "  - {rule: tumbling, of: pump, within_s: 30}\nclear:", 1
    )
    text = text.replace("allow:\n  - {rule: safe_mode, targets: [dawn_02],", "allow:\n"
                        "  - {rule: safe_mode, targets: [dawn_09],")  # fmt: skip
    code, _ = run(tmp_path, text, "--html", str(tmp_path / "out.html"))
    page = (tmp_path / "out.html").read_text()
    assert code == 1
    assert "LATE: Coolant flow lost (a page) fired on dawn_01 10 s after the fault began" in page
    assert "the drill asks for 0 to 5 s" in page and "after its condition was true (10 s" in page
    assert "MISSED: Satellite is tumbling (a page) did not fire on dawn_01." in page
    assert "FOR NOTHING: " in page and "though the drill expects no page there" in page
    assert "0 of 2 expected alerts came in time, 1 late, 1 missed; 1 alert for nothing." in page


def test_a_file_that_cannot_be_is_one_line_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    with pytest.raises(Exception, match=r"trial.yaml:\d+: inject.0.fault: unknown fault 'T99'"):
        path = tmp_path / "trial.yaml"
        path.write_text(DRILL.replace("T1,", "T99,", 1))
        arguments = ["drill", "run", str(path), "--json", str(out)]
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert not out.exists()
