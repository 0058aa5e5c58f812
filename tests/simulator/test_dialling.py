"""How a socket is dialled: the signature, and what a failure is called."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mcp_voice.errors import CarrierFailed
from mcp_voice.simulator.dialling import dial, signed

URL = "https://mycompany.com"


@pytest.mark.parametrize(
    ("rest", "signature"),
    [
        (
            "/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
            "a9nBmqA0ju/hNViExpshrM61xv4=",
        ),
        (
            "/myapp.php?bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
            "y77kIzt2vzLz71DgmJGsen2scGs=",
        ),
        (
            ":443/myapp.php?foo=1&bar=2&bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "Ldidvp12m26NI7eqEvxnEpkd9Hc=",
        ),
    ],
)
def test_a_url_is_signed_as_in_the_test_vectors_of_twilios_own_libraries(rest: str, signature: str) -> None:
    assert signed(URL + rest, "12345") == signature


def test_a_bare_host_is_signed_with_its_slash() -> None:
    assert signed("wss://example.com", "12345") == signed("wss://example.com/", "12345")
    assert signed("wss://example.com/a", "12345") != signed("wss://example.com/a/", "12345")


@asynccontextmanager
async def saying(words: bytes | None) -> AsyncIterator[str]:
    """A TCP server that is no WebSocket: it says these words, or None and nothing."""
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if words is None:
            await done.wait()
        else:
            await reader.read(1)
            writer.write(words)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        done.set()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("scheme", "words", "code"),
    [
        ("ws", None, 31901),
        ("ws", b"SSH-2.0-nobody\r\n", 31920),
        ("ws", b"", 31920),
        ("wss", b"HTTP/1.1 400 Bad Request\r\n\r\n", 31910),
    ],
    ids=["silent", "another protocol", "closes", "no TLS"],
)
async def test_what_is_no_websocket_is_named(scheme: str, words: bytes | None, code: int) -> None:
    async with saying(words) as where:
        with pytest.raises(CarrierFailed, match=f"^{code}: ") as caught:
            await dial(f"{scheme}://{where}", patience=0.3 if words is None else 20)

    assert caught.value.details["code"] == code


@pytest.mark.anyio
@pytest.mark.parametrize(("host", "code"), [("[fe80::1%nowhere]", 31904), ("a" * 64 + ".example", 31923)])
async def test_a_host_that_does_not_exist_is_named(host: str, code: int) -> None:
    with pytest.raises(CarrierFailed, match=f"^{code}: "):
        await dial(f"ws://{host}/x")
