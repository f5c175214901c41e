"""Signals of the operator: also during long work that awaits nothing."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest
from running import ROOT

from services.control import STOPS, Control

# Stops itself in the middle of work that would go on for ever.
PROGRAM = """
import os, signal, sys
from services.control import Control
from services.process import run

async def work():
    control = Control(listening=True)
    control.listen()
    with control.interruptible():
        os.kill(os.getpid(), signal.Signals[sys.argv[1]])
        while True:
            pass

run(work())
print("in good order")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_process_ends_in_good_order_in_the_middle_of_long_work(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "in good order\n"), done.stderr


def test_handlers_are_as_they_were() -> None:
    before = [signal.getsignal(number) for number in STOPS]
    for listening in (True, False):
        with Control(listening=listening).interruptible():
            changed = [signal.getsignal(number) for number in STOPS] != before
        assert changed == listening
        assert [signal.getsignal(number) for number in STOPS] == before
    with pytest.raises(asyncio.CancelledError), Control(listening=True).interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(number) for number in STOPS] == before
