"""Export of stored rows, from the embedded store and a real InfluxDB: the same file."""

from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest
from aiohttp.test_utils import TestServer
from servers import influxd_server
from typer.testing import CliRunner

from services import export as exporting
from services.cli import app
from services.embedded_database import Database
from services.embedded_store import StoreServer
from services.export import export, order_of
from services.settings import load_settings
from services.store import EmbeddedStore, InfluxStore, Store, StoreUnavailableError
from twin.errors import ConfigurationError, DependencyUnavailableError

START_S = 1_777_550_400.0
START_NS = round(START_S) * 10**9
CHANNELS = ["eps_soc_pct", "eps_mode"]


@pytest.fixture(params=["embedded", "influx"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "influx":
        with influxd_server() as server:
            async with InfluxStore(load_settings(influx_url=server.url)) as found:
                await found.prepare()
                yield found
        return
    server = StoreServer(Database(tmp_path / "t.duckdb"), retention_h=24.0)
    async with (
        TestServer(server.application()) as running,
        EmbeddedStore(str(running.make_url("")).rstrip("/")) as found,
    ):
        yield found
    server.close()


def rows(count: int) -> bytes:
    head = b"sat_state,fleet=f,plane=p,sat=%s "
    whole = b"".join(
        head % sat
        + b"eps_soc_pct=%r,eps_mode=%di,tm_seq=1.0 %d\n" % (i / 3, i % 3, START_NS + i * 10**9)
        for i in range(count)
        for sat in (b"A", b"B")
    )
    last = START_NS + count * 10**9
    lacking = head % b"A" + b"eps_mode=2i,tm_seq=1.0 %d\n" % last
    return whole + lacking + head % b"B" + b"tm_seq=1.0 %d\n" % last


def read(path: Path) -> list[tuple[object, ...]]:
    found = duckdb.sql(f"SELECT time_ns, sat, plane, eps_soc_pct, eps_mode FROM '{path}'")
    return found.fetchall()


async def test_what_is_stored_is_in_the_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "ROWS_A_SLICE", 8)  # slices grow and shrink
    await store.write(rows(100))
    out = tmp_path / "out.parquet"
    out.write_text("an older one")
    order = order_of("f", START_S, START_S + 100.0, CHANNELS, out)
    shares: list[float] = []
    count = await export(store, order, lambda share, _rows: shares.append(share))
    expected = [
        (START_NS + i * 10**9, sat, "p", i / 3, i % 3) for i in range(100) for sat in ("A", "B")
    ]
    expected.append((START_NS + 100 * 10**9, "A", "p", None, 2))  # B has none of the channels
    assert (read(out), count) == (expected, 201)
    assert len(shares) > 5
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    kinds = duckdb.sql(f"DESCRIBE SELECT time, eps_soc_pct, eps_mode FROM '{out}'").fetchall()
    assert [kind[1] for kind in kinds] == ["TIMESTAMP_NS", "DOUBLE", "BIGINT"]


async def test_nothing_stored_writes_nothing(store: Store, tmp_path: Path) -> None:
    await store.write(rows(3))
    before = sorted(tmp_path.iterdir())
    order = order_of("f", START_S + 500.0, START_S + 900.0, CHANNELS, tmp_path / "out.parquet")
    assert await export(store, order, lambda _share, _rows: None) == 0
    assert sorted(tmp_path.iterdir()) == before


async def test_a_store_that_is_away_leaves_the_older_file(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    out = tmp_path / "out.parquet"
    out.write_text("an older one")
    order = order_of("f", START_S, START_S + 9.0, CHANNELS, out)
    async with EmbeddedStore(f"http://127.0.0.1:{unused_tcp_port}") as away:
        with pytest.raises(StoreUnavailableError):
            await export(away, order, lambda _share, _rows: None)
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]
    assert out.read_text() == "an older one"


@pytest.mark.parametrize(
    ("start_s", "stop_s", "channels", "folder", "said"),
    [
        (0.0, 1.0, ["eps_soc_pct", "nonsense"], ".", "--channels.*'nonsense' is not a channel"),
        (0.0, 1.0, [], ".", "--channels.*one measurement.*none"),
        (1.0, 1.0, CHANNELS, ".", "--to.*later than --from"),
        (0.0, 1.0, CHANNELS, "nowhere", "--out.*nowhere is not a directory"),
    ],
)
def test_a_wrong_order_is_refused_by_name(
    tmp_path: Path, start_s: float, stop_s: float, channels: list[str], folder: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        order_of("f", start_s, stop_s, channels, tmp_path / folder / "x.parquet")


def test_the_command_says_in_one_line_that_the_store_is_away(
    tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_STORE_URL", f"http://127.0.0.1:{unused_tcp_port}")
    words = "export --from 2026-05-01T00:00:00Z --to 2026-05-01T00:01:00Z --channels eps_soc_pct"
    order = [*words.split(), "--fleet", "f", "--out", str(tmp_path / "x.parquet")]
    done = CliRunner().invoke(app, order)
    assert isinstance(done.exception, DependencyUnavailableError)
    assert done.exception.exit_code == 69
    assert str(unused_tcp_port) in str(done.exception)
    wrong = CliRunner().invoke(app, [*order[:2], "yesterday", *order[3:]])
    assert wrong.exit_code == 2
    assert list(tmp_path.iterdir()) == []
