"""The clients that only `make judge` installs, and a real browser."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.conftest import CHROMIUM_ARGS, CHROMIUMS
from tests.judges.viewers import Viewer

IN_PAGE = """([url, protocol]) => new Promise((opened, failed) => {
  window.frames_seen = [];
  window.socket = new WebSocket(url, protocol);
  window.socket.binaryType = "arraybuffer";
  window.socket.onopen = () => opened(window.socket.protocol);
  window.socket.onclose = (event) => { window.closed_with = event.code; failed(new Error(`closed: ${event.code}`)); };
  window.socket.onmessage = ({data}) => window.frames_seen.push(
    typeof data === "string" ? JSON.parse(data) : btoa(String.fromCharCode(...new Uint8Array(data))));
})"""
SEND = """([data, binary]) => window.socket.send(
  binary ? Uint8Array.from(atob(data), (one) => one.charCodeAt(0)) : data)"""
CLOSE = """() => new Promise((closed) => { window.socket.onclose = () => closed(); window.socket.close(1000); })"""


@contextlib.asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """The system's Chromium, Playwright's own where the system has none."""
    path = os.environ.get("GIFTSERVER_TEST_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield browser
        await browser.close()


class AiohttpViewer(Viewer):
    """aiohttp."""

    library = "aiohttp"
    _session: aiohttp.ClientSession
    _socket: aiohttp.ClientWebSocketResponse
    _reading: "asyncio.Task[None]"

    async def open(self) -> None:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(
            self.web.socket_url, protocols=[self.subprotocol], headers=self.headers
        )
        assert self._socket.protocol == self.subprotocol
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            self.frames.append(message.data)

    async def send(self, data: bytes | str) -> None:
        await (self._socket.send_str(data) if isinstance(data, str) else self._socket.send_bytes(data))

    async def close(self) -> None:
        await self._socket.close()
        await self._reading
        await self._session.close()


class PicowsViewer(Viewer):
    """picows, a parser of its own in Cython."""

    library = "picows"
    _transport: WSTransport

    async def open(self) -> None:
        viewer = self

        class Listener(WSListener):
            """Keeps the frames."""

            def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
                assert frame.fin
                if frame.msg_type == WSMsgType.TEXT:
                    viewer.frames.append(frame.get_payload_as_utf8_text())
                elif frame.msg_type == WSMsgType.BINARY:
                    viewer.frames.append(frame.get_payload_as_bytes())
                elif frame.msg_type == WSMsgType.CLOSE:
                    transport.disconnect()

        headers = self.headers | {"Sec-WebSocket-Protocol": self.subprotocol}
        self._transport, _ = await ws_connect(Listener, self.web.socket_url, extra_headers=headers)

    async def send(self, data: bytes | str) -> None:
        kind, payload = (WSMsgType.TEXT, data.encode()) if isinstance(data, str) else (WSMsgType.BINARY, data)
        self._transport.send(kind, payload)

    async def close(self) -> None:
        self._transport.send_close(1000)
        async with asyncio.timeout(10):
            await self._transport.wait_disconnected()


class BrowserViewer(Viewer):
    """Chromium, on a page of the server's own; JSON is read there too."""

    library = "browser"
    chromium: Browser
    _page: Page

    async def open(self) -> None:
        request = urllib.request.Request(f"{self.web.url}/v1/tickets", b"{}", self.headers, method="POST")
        request.add_header("Content-Type", "application/json")
        with await asyncio.to_thread(urllib.request.urlopen, request) as answer:
            ticket = json.load(answer)["ticket"]
        self._page = await self.chromium.new_page()
        await self._page.goto(f"{self.web.url}/healthz")
        asked: list[Any] = [f"{self.web.socket_url}?ticket={ticket}", self.subprotocol]
        assert await self._page.evaluate(IN_PAGE, asked) == self.subprotocol

    async def look(self) -> None:
        for frame in await self._page.evaluate("() => window.frames_seen.splice(0)"):
            self.frames.append(base64.b64decode(frame) if isinstance(frame, str) else frame)

    async def send(self, data: bytes | str) -> None:
        text = data if isinstance(data, str) else base64.b64encode(data).decode()
        await self._page.evaluate(SEND, [text, self.binary])

    async def close(self) -> None:
        await self._page.evaluate(CLOSE)
        await self._page.close()
