"""The dashboard in a browser: who may come in, and that it is the dashboard which answers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.cli.tiny import FLOE_YAML, PLATFORM_YAML
from tests.tui.screens import run


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    root = tmp_path / "shop"
    root.mkdir()
    root.joinpath("floe.yaml").write_text(FLOE_YAML)
    root.joinpath("platform.yaml").write_text(PLATFORM_YAML)
    process = subprocess.Popen(
        [sys.executable, "-m", "floe_dev.cli", "dashboard", "--web"],
        cwd=root,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert "Traceback" not in process.stdout.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_only_who_has_the_token_comes_in_and_sees_the_dashboard(address: str) -> None:
    parts = urlsplit(address)
    plain = f"http://{parts.netloc}"
    assert parts.hostname == "127.0.0.1"

    async def status(session: aiohttp.ClientSession, url: str, **headers: str) -> int:
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            return answer.status

    async def go() -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            for path in ("/", "/ws", "/static/js/textual.js", "/?token=wrong", "/download/x"):
                assert await status(session, plain + path) == 403, path
            async with session.get(address) as answer:
                assert answer.status == 200
                assert str(answer.url) == f"{plain}/", "the token does not stay in the address"
                assert "fonts.googleapis" not in answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert await status(session, plain, Host="evil.example") == 403
            assert await status(session, f"{plain}/ws", Origin="http://evil.example") == 403
            async with session.ws_connect(f"{plain}/ws?width=100&height=30", origin=plain) as socket:
                seen = b""
                async with asyncio.timeout(40):
                    while b"press S to start it" not in seen:
                        message = await socket.receive()
                        assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
                        seen += message.data if isinstance(message.data, bytes) else b""
                await socket.send_json(["stdin", "q"])

    run(go())


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    import socket

    from floe_dev.dashboard.web import DashboardServer
    from floe_dev.errors import Code, FloeError

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(FloeError) as told:
            DashboardServer(["floe", "dashboard"], taken.getsockname()[1])
    assert told.value.code is Code.DASHBOARD_PORT
