"""A service's own telemetry: health and metrics over HTTP, and a row of `ops` now and then.

The row goes to the same store as everything else, so that the state of the pipeline is seen next
to what it carries. A store that is down costs the row, nothing else.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from services.health import Checks, health_server
from services.metrics import Metrics
from services.pace import SYSTEM_CLOCK, Clock
from services.settings import Settings
from services.store import RejectedRowsError, Store, StoreUnavailableError

LOG = logging.getLogger(__name__)
OPS_EVERY_S = 10.0


def ops_row(metrics: Metrics, unix_s: float) -> bytes:
    """Line protocol of everything the process counts."""
    fields = ",".join(
        f"{name}={value!r}" for name, value in metrics.fields().items() if math.isfinite(value)
    )
    tags = f"service={metrics.service},instance={metrics.instance}"
    return f"ops,{tags} {fields} {round(unix_s * 1e9)}\n".encode()


async def send_ops(
    metrics: Metrics, store: "RowTaker", clock: Clock = SYSTEM_CLOCK, every_s: float = OPS_EVERY_S
) -> None:
    """Write a row every `every_s`, for ever."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await store.write(ops_row(metrics, clock.unix_s()))
        except (StoreUnavailableError, RejectedRowsError) as error:
            LOG.debug("ops: %s", error)


@asynccontextmanager
async def ops_store(
    settings: Settings, open_store: Callable[[Settings], Store]
) -> AsyncIterator["RowTaker | None"]:
    """The store where the settings name one, for a service that writes nothing else to it."""
    if not settings.store_url and not settings.influx_url:
        yield None
        return
    async with open_store(settings) as store:
        yield _Unprepared(store)


class _Unprepared:
    """A store that is prepared before its first row, whenever it is there."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_ready = False

    async def write(self, lines: bytes) -> None:
        if not self._is_ready:
            await self._store.prepare()
            self._is_ready = True
        await self._store.write(lines)


class RowTaker(Protocol):
    """Whoever takes rows of line protocol."""

    async def write(self, lines: bytes) -> None:
        """Durable when it returns. Raises StoreUnavailableError or RejectedRowsError."""


@asynccontextmanager
async def observed(
    listen: str | None,
    checks: Checks,
    metrics: Metrics,
    store: RowTaker | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[None]:
    """Everything an operator sees of a service, while the body runs."""
    tasks = [asyncio.create_task(metrics.watch_loop())]
    if store is not None:
        tasks.append(asyncio.create_task(send_ops(metrics, store, clock)))
    try:
        async with health_server(listen, checks, metrics):
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
