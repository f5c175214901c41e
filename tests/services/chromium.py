"""A headless Chromium driven over its DevTools protocol: look at a page as a person would.

python tests/services/chromium.py URL out.png [--size 1600x1000] [--wait 3] [--light] [--run JS]
"""

import argparse
import asyncio
import base64
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
START_LIMIT_S = 60.0
MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


def chromium_path() -> str | None:
    """The installed browser, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab: navigate, run JavaScript, press keys, take pictures; collects what went wrong."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.errors: list[str] = []
        self.outside: list[str] = []

    async def read(self) -> None:
        """Take what the browser says until the tab closes."""
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._waiting.pop(told["id"]).set_result(told)
            else:
                self._note(told.get("method"), told.get("params", {}))

    def _note(self, method: str | None, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(
                details.get("exception", {}).get("description") or details.get("text", "exception")
            )
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(a.get("value", a)) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))
        elif method == "Network.requestWillBeSent":
            self.outside.append(params["request"]["url"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One DevTools command and its result."""
        self._number += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = answer
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        told = await answer
        if "error" in told:
            raise RuntimeError(f"{method}: {told['error']}")
        result: dict[str, Any] = told["result"]
        return result

    async def open(self, url: str) -> None:
        """Navigate."""
        await self.call("Page.navigate", url=url)

    async def run(self, expression: str) -> Any:
        """Value of an expression; promises are waited for."""
        told = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in told:
            raise RuntimeError(told["exceptionDetails"]["exception"]["description"])
        return told["result"].get("value")

    async def until(self, condition: str, limit_s: float = 60.0) -> None:
        """Wait inside the page until a condition holds, seen frame by frame."""
        waiting = (
            "new Promise((done, fail) => { const end = performance.now() + "
            f"{limit_s * 1000}; const look = () => {{ let holds = false; "
            f"try {{ holds = {condition}; }} catch (error) {{}} "
            "if (holds) done(true); else if (performance.now() > end) done(false); "
            "else setTimeout(look, 50); }; look(); })"
        )
        for _ in range(3):
            try:
                if await self.run(waiting):
                    return
            except RuntimeError as error:  # the page was replaced while it was asked
                if "context" not in str(error):
                    raise
                continue
            break
        raise TimeoutError(f"{condition}; errors in the page: {self.errors}")

    async def press(self, key: str, text: str = "") -> None:
        """One key down and up."""
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, **extra)

    async def picture(self) -> bytes:
        """PNG of the window."""
        told = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(told["data"])


@asynccontextmanager
async def page(
    size: tuple[int, int] = (1600, 1000), features: Sequence[tuple[str, str]] = ()
) -> AsyncIterator[Page]:
    """A fresh browser with one tab; `features` are media features such as colour scheme."""
    path = chromium_path()
    assert path is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            path,
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={size[0]},{size[1]}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START_LIMIT_S):
                address = await _debugger(process)
            async with _tab(address, size, features) as tab:
                yield tab
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@asynccontextmanager
async def _tab(
    address: str, size: tuple[int, int], features: Sequence[tuple[str, str]]
) -> AsyncIterator[Page]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{address}/json/list") as answer:
            tabs = await answer.json(content_type=None)
        url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        async with session.ws_connect(url, max_msg_size=MESSAGE_LIMIT_BYTES) as socket:
            tab = Page(socket)
            reader = asyncio.create_task(tab.read())
            for domain in ("Page", "Runtime", "Log", "Network"):
                await tab.call(f"{domain}.enable")
            await tab.call(
                "Emulation.setDeviceMetricsOverride",
                width=size[0],
                height=size[1],
                deviceScaleFactor=1,
                mobile=False,
            )
            wanted = [{"name": name, "value": value} for name, value in features]
            await tab.call("Emulation.setEmulatedMedia", features=wanted)
            try:
                yield tab
            finally:
                await socket.close()
                await reader


async def _debugger(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        words = line.decode(errors="replace")
        if "DevTools listening on ws://" in words:
            return words.split("ws://", 1)[1].split("/", 1)[0]
    raise RuntimeError("Chromium ended before it was ready")


async def _main(arguments: argparse.Namespace) -> None:
    width, height = (int(part) for part in arguments.size.split("x"))
    features = [("prefers-color-scheme", "light" if arguments.light else "dark")]
    async with page((width, height), features) as tab:
        await tab.open(arguments.url)
        await tab.until(
            "['fleet','satellite','board','alerts'].includes(document.documentElement.dataset.ready)"
        )
        await asyncio.sleep(arguments.wait)
        if arguments.run:
            print(await tab.run(arguments.run))
            await asyncio.sleep(arguments.wait)
        Path(arguments.out).write_bytes(await tab.picture())
        print("ms per frame", await tab.run("document.documentElement.dataset.frameMs"))
        print("errors", tab.errors)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("out")
    parser.add_argument("--size", default="1600x1000")
    parser.add_argument("--wait", type=float, default=3.0)
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--run", default="")
    asyncio.run(_main(parser.parse_args()))
