"""Who is told that a call has changed, in both eras of the protocol.

`changed` comes from the store, outside any request, and returns at once. What
it says is announced in the loop's next round, and for a session at most once
in `pause` seconds: what changes meanwhile is announced when they are over,
so the last change always is. An announcement carries a URI and nothing else;
who cares reads it again.

    2026-07-28   streams of `subscriptions/listen`; this object is their bus
    before       `resources/subscribe`: kept with the connection, gone with it

While nobody listens, `changed` is one question.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from mcp import MCPError, types
from mcp.server import Server, ServerRequestContext
from mcp.server.connection import Connection
from mcp.server.subscriptions import ListenHandler, ResourcesListChanged, ResourceUpdated, ServerEvent

from mcp_voice.server import resources

PAUSE: Final = 0.1
"""Seconds between two announcements of one session."""

MOST_URIS: Final = 1_000
"""What one connection may subscribe to."""

_LIST: Final = ""
"""The list of sessions, among the ids of sessions."""


class Updates:
    """Tells clients what has changed."""

    def __init__(self, pause: float = PAUSE) -> None:
        self.pause = pause
        self._streams: dict[object, Callable[[ServerEvent], None]] = {}
        self._connections: WeakKeyDictionary[Connection, _Wishes] = WeakKeyDictionary()
        self._resting: dict[str, bool] = {}
        """Sessions announced less than `pause` ago: whether they have changed since."""
        self._listen = ListenHandler(self)

    def __len__(self) -> int:
        return len(self._streams) + len(self._connections)

    def serve(self, server: Server[Any]) -> None:
        """Take subscriptions from a server's clients."""
        server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, self._subscribe)
        server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, self._unsubscribe)
        server.add_request_handler(
            "subscriptions/listen", types.SubscriptionsListenRequestParams, self._listen
        )

    def changed(self, session_id: str, listed: bool) -> None:
        """A session has changed; `listed`: so has the list of sessions."""
        if not self._streams and not self._connections:
            return
        loop = asyncio.get_running_loop()
        for topic in (session_id, _LIST) if listed else (session_id,):
            if topic not in self._resting:
                loop.call_soon(self._turn_to, topic)
            self._resting[topic] = True

    def close(self) -> None:
        """End the streams, so that a server that stops need not wait for their clients."""
        self._listen.close()

    def _turn_to(self, topic: str) -> None:
        """Announce what has changed and let it rest; forget what has not."""
        if not self._resting[topic]:
            del self._resting[topic]
            return
        self._resting[topic] = False
        asyncio.get_running_loop().call_later(self.pause, self._turn_to, topic)
        for uri in (resources.SESSIONS,) if topic == _LIST else resources.about(topic):
            self._announce(ResourceUpdated(uri))
            for connection, wishes in list(self._connections.items()):
                wishes.tell(connection, uri)
        if topic == _LIST:
            self._announce(ResourcesListChanged())

    # ─── 2026-07-28: the SDK's SubscriptionBus ───────────────────────────────

    async def publish(self, event: ServerEvent) -> None:
        """Tell every stream that asked for it."""
        self._announce(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Let a stream listen; return how it stops."""
        stream = object()
        self._streams[stream] = listener

        def unsubscribe() -> None:
            self._streams.pop(stream, None)

        return unsubscribe

    def _announce(self, event: ServerEvent) -> None:
        for listener in list(self._streams.values()):
            listener(event)

    # ─── 2025-11-25 and before ───────────────────────────────────────────────

    async def _subscribe(
        self, ctx: ServerRequestContext[Any, Any], params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        if not resources.known(params.uri):
            raise MCPError(types.INVALID_PARAMS, "There is no such resource.", {"uri": params.uri})
        connection = _connection(ctx)
        wishes = self._connections.get(connection)
        if wishes is None:
            wishes = self._connections[connection] = _Wishes()
            connection.exit_stack.callback(self._forget, connection)
        if len(wishes.uris) >= MOST_URIS:
            raise MCPError(types.INVALID_PARAMS, f"{MOST_URIS} subscriptions are taken of a client.")
        wishes.uris.add(params.uri)
        return types.EmptyResult()

    async def _unsubscribe(
        self, ctx: ServerRequestContext[Any, Any], params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        wishes = self._connections.get(_connection(ctx))
        if wishes is not None:
            wishes.uris.discard(params.uri)
        return types.EmptyResult()

    def _forget(self, connection: Connection) -> None:
        wishes = self._connections.pop(connection, None)
        if wishes is not None:
            wishes.drop()


class _Wishes:
    """What one connection wants to hear of, and what it has still to be told.

    A client that does not read holds up nobody else, and gathers one line for a URI at most.
    """

    def __init__(self) -> None:
        self.uris: set[str] = set()
        self._due: dict[str, None] = {}
        self._telling: asyncio.Task[None] | None = None

    def tell(self, connection: Connection, uri: str) -> None:
        """Tell it, soon, if it cares."""
        if uri not in self.uris:
            return
        self._due[uri] = None
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(connection))

    async def _tell(self, connection: Connection) -> None:
        while self._due:
            uri = next(iter(self._due))
            del self._due[uri]
            await connection.send_resource_updated(uri)

    def drop(self) -> None:
        """The connection is gone."""
        if self._telling is not None:
            self._telling.cancel()


def _connection(ctx: ServerRequestContext[Any, Any]) -> Connection:
    """Return what lives as long as the client is there: `ctx.session` is made anew for each request."""
    return ctx.session._connection  # the SDK hands out the session only (mcp 2.3)
