"""A client that keeps the key to its host, and bodies read no further than is useful."""

from __future__ import annotations

import asyncio
import ssl

import httpx2

from turbo_tui.adapters.providers.address import ModelAddress


async def new_client(address: ModelAddress) -> httpx2.AsyncClient:
    """Open a client for one address.

    Redirects are not followed, and a proxy from the environment is not used for this machine.
    """
    # Reading the certificates takes tens of milliseconds: never on the event loop, and not at
    # all where there is no TLS (a context without certificates trusts nobody).
    if address.root.startswith("https:"):
        trust = await asyncio.to_thread(httpx2.create_ssl_context)
    else:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx2.AsyncClient(
        verify=trust,
        timeout=httpx2.Timeout(address.timeout_s, connect=address.connect_timeout_s),
        trust_env=not address.is_loopback,
        follow_redirects=False,
        headers={"user-agent": "turbo-tui"},
    )


async def read_at_most(response: httpx2.Response, most_bytes: int) -> bytes:
    """Read a body; what is beyond the limit is left."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= most_bytes:
            break
    return bytes(body[:most_bytes])
