"""Several ingesters share one stream; a dead one's work is done by the others."""

from cluster import cluster

LIMIT_S = 180.0  # no bar: three servers that force each message to one disk share it with others


def test_a_nats_server_and_an_ingester_are_killed_and_nothing_is_lost() -> None:
    with cluster(8.0, engine="nats") as group:
        group.start()
        group.until_stored(1.0, LIMIT_S)
        group.parts["ingest-1"].kill()
        group.until_stored(3.0, LIMIT_S)
        group.parts["node-0"].kill()  # of both addresses the first: everybody has to move
        verdict = group.finish()
        survivors = [group.parts[name].is_running for name in ("ingest-2", "ingest-3")]
    assert verdict.is_clean, str(verdict)
    assert verdict.values > 300_000
    assert survivors == [True, True]


def test_an_ingester_of_a_shared_subscription_is_killed_and_nothing_is_lost() -> None:
    with cluster(6.0, engine="mosquitto") as group:
        group.start()
        group.until_stored(1.0, LIMIT_S)
        group.parts["ingest-1"].kill()
        verdict = group.finish()
        shares = group.frames_stored()
    assert verdict.is_clean, str(verdict)
    assert verdict.values > 200_000
    assert shares["ingest-2"] > 0 < shares["ingest-3"], shares
