"""How a command runs: until it is done or signalled, with its log on standard error."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def log_to_stderr(level: int) -> None:
    """Times and levels of this process's log lines, from `level` on."""
    logging.basicConfig(
        level=level,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )


def run(work: Coroutine[Any, Any, T]) -> T | None:
    """Run until done; SIGINT and SIGTERM end it in good order, a second one at once."""

    async def until_signalled() -> T | None:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        signals_count = 0

        def on_signal() -> None:
            nonlocal signals_count
            signals_count += 1
            if signals_count > 1:
                os._exit(130)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    return asyncio.run(until_signalled())
