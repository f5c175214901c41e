"""What an operator tells a running service by signals.

SIGTERM and SIGINT end it within seconds (services/process.py), SIGUSR1 drains it first (`twin
drain`), SIGHUP makes it read its files again.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

STOPS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Control:
    """Wishes of the operator; a service looks at those that concern it.

    listening: hear the process's signals; only for the main thread of a real process.
    """

    listening: bool = False
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    on_reload: list[Callable[[], None]] = field(default_factory=list)

    def listen(self) -> None:
        """Hear the signals from now on, where this control does."""
        if not self.listening:
            return
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self.draining.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """SIGTERM and SIGINT end long work inside that awaits nothing, where this control hears.

        They raise asyncio.CancelledError there. Else they would wait until the loop turns again.
        """
        if not self.listening:
            yield
            return

        def stop(_number: int, _frame: object) -> None:
            raise asyncio.CancelledError

        before = {number: signal.signal(number, stop) for number in STOPS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def reload(self) -> None:
        """Read the files again; who fails keeps what it had."""
        for callback in self.on_reload:
            callback()
