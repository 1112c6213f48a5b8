"""Runs an ASGI application on loopback, on a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp, Receive


class Server:
    """A local CRM that listens on 127.0.0.1 until closed.

    `port` 0 takes a free one. `url` is known, and answers, as soon as the constructor returns. Raises OSError
    when the port is taken. The application sends its own `Date`: a CRM's clock is what its clients go by.
    """

    def __init__(self, app: ASGIApp, *, port: int = 0) -> None:
        # asyncio sets TCP_NODELAY only where the protocol number is given; without it each answer waits 40 ms
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._ready = threading.Event()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            timeout_keep_alive=60,
        )
        self._uvicorn = _ReadyServer(config, self._ready)
        self._thread = threading.Thread(
            target=self._uvicorn.run, kwargs={"sockets": [self._socket]}, name=f"local-crm-{self.port}", daemon=True
        )
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        """Stops listening and drops open connections. Safe to repeat."""
        self._uvicorn.should_exit = self._uvicorn.force_exit = True
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _ReadyServer(uvicorn.Server):
    """uvicorn tells nobody when it is ready; this one does."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()


def connection(receive: Receive) -> asyncio.Transport:
    """The connection that a request came by.

    ASGI has no word for it: uvicorn's `receive` belongs to the object that holds the socket. Raises RuntimeError
    under another server, or behind middleware that hides it.
    """
    transport: asyncio.Transport | None = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("closing connections needs the application to be served by uvicorn, without middleware")
    return transport


async def hang_up(receive: Receive) -> None:
    """Ends the connection in good order, without an answer or in the middle of one."""
    connection(receive).close()
    await _gone(receive)


async def reset(receive: Receive) -> None:
    """Tears the connection down: the client's kernel is sent a TCP RST, and what was not read yet is lost."""
    transport = connection(receive)
    if not transport.is_closing():
        # to linger for no time at all is how a socket is told to send RST instead of FIN
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
