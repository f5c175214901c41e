"""Marks of a live drill in Grafana, through the one door; a Grafana that is away costs no drill."""

from fake import fake_grafana
from provisioned import settings_of

from services.drill_notes import Notes

EPOCH_S = 1_790_812_800.0


async def test_marks_of_a_drill_become_annotations_at_simulated_time() -> None:
    notes = Notes("pump", "pump-failure", EPOCH_S)
    notes.note(150.0, "drill_inject", "sc_1", "inject T1")
    with fake_grafana() as server:
        await notes.write(None, settings_of(server))
        (made,) = server.state.annotations
    assert made["time"] == (EPOCH_S + 150.0) * 1000.0
    assert made["text"] == "pump-failure: inject T1 on sc_1"
    assert {"orbital-twin", "drill", "pump-failure", "drill_inject"} <= set(made["tags"])
    assert notes.lost == 0


async def test_a_grafana_that_refuses_is_counted_and_ends_nothing() -> None:
    notes = Notes("pump", "pump-failure", EPOCH_S)
    notes.note(150.0, "drill_inject", "sc_1", "inject T1")
    with fake_grafana() as server:
        server.trouble = lambda *_: "500"
        await notes.write(None, settings_of(server))
        assert server.state.annotations == []
    assert notes.lost == 1
