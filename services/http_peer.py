"""An HTTP server that we ask: one session, one time-out, one way to say that it is not there."""

import base64
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

REQUEST_TIMEOUT_S = 20.0


def basic_login(user: str, password: str) -> dict[str, str]:
    """Header of a log-in by user and password (RFC 7617)."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@dataclass(frozen=True)
class Answer:
    """Status, body and headers of a reply."""

    status: int
    content: bytes
    headers: Mapping[str, str]
    is_json: bool


class HttpPeer:
    """A server behind one URL, for as long as the context lasts."""

    def __init__(
        self, url: str, headers: Mapping[str, str], unreachable: Callable[[str], Exception]
    ) -> None:
        self.url = url
        self._headers = dict(headers)
        self._unreachable = unreachable
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        self._session = await self._stack.enter_async_context(
            aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The whole reply, whatever its status. Raises `unreachable` where there is none."""
        try:
            async with self._session.request(
                method, self.url + path, params=params, data=data, json=json, headers=headers
            ) as reply:
                content = await reply.read()
                is_json = reply.content_type == "application/json"
                return Answer(reply.status, content, reply.headers, is_json)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(f"{self.url}: {error!r}") from None
