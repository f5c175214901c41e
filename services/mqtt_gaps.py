"""What aiomqtt 2.5 lacks and we need, read in its source; each goes when a release brings it."""

import asyncio
from contextvars import ContextVar
from typing import Any

import aiomqtt


class PublishAnswers:
    """Reason codes of PUBACKs, which aiomqtt does not pass on (read in its source, 2.5).

    paho's publish is called inside aiomqtt's, in the task that publishes, so a context variable
    tells that task which message was its own.
    """

    def __init__(self, client: aiomqtt.Client) -> None:
        inner = client._client
        self._mine: ContextVar[int] = ContextVar("message_id")
        self._by_message: dict[int, int] = {}
        original_publish, original_answer = inner.publish, inner.on_publish
        assert original_answer is not None

        def publish(*arguments: Any, **named: Any) -> Any:
            info = original_publish(*arguments, **named)
            self._mine.set(info.mid)
            return info

        def on_publish(client: Any, data: Any, message: int, reason: Any, more: Any) -> None:
            if reason.value:
                self._by_message[message] = reason.value
            original_answer(client, data, message, reason, more)  # type: ignore[call-arg]

        inner.publish = publish  # type: ignore[method-assign]
        inner.on_publish = on_publish

    def of_this_task(self) -> int:
        """Reason of the last message that this task published; 0 is success."""
        return self._by_message.pop(self._mine.get(), 0)


def add_writers_to_open_sockets(client: aiomqtt.Client) -> None:
    """A writer is added in the loop's next turn: not to a socket that is closed by then.

    aiomqtt adds it all the same. The loop then reports a bad file descriptor, or writes when some
    other socket of the same number can be written to. Call it before connecting.
    """
    loop = asyncio.get_running_loop()

    def write() -> None:
        try:
            client._client.loop_write()
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection is lost
            if not client._disconnected.done():
                client._disconnected.set_exception(error)

    def add(sock: Any) -> None:
        if sock.fileno() >= 0:
            loop.add_writer(sock.fileno(), write)

    def register(_client: Any, _data: Any, sock: Any) -> None:
        loop.call_soon_threadsafe(add, sock)  # paho may call this from the thread that connects

    client._client.on_socket_register_write = register
