"""docs/coverage.md says what was run and no more."""

from services.coverage_run import Coverage
from services.coverage_tables import coverage_page
from twin.alerts import RULES
from twin.rule_mutants import mutants

NOTHING = Coverage([], {}, {}, [])


def test_a_run_without_mutants_counts_none_as_noticed() -> None:
    page = coverage_page(NOTHING, mutated=False)
    assert "No number was moved" in page
    assert "noticed by some drill" not in page


def test_a_run_with_mutants_lists_those_that_nobody_notices() -> None:
    one = mutants(RULES)[0]
    found = NOTHING._replace(uncaught=[(one.of, one.what, "")])
    page = coverage_page(found, mutated=True)
    count = len(mutants(RULES))
    assert f"{count - 1} noticed by some drill, 0 explained, 1 neither." in page
    assert f"| `{one.of}` | {one.what} |  |" in page
