"""The running stack: every service ready, the catalog answers each principal, Dagster answers."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from floe_dev.cli.doctor import FAIL, PASS, SKIPPED, WARNING, Check
from floe_dev.errors import FloeError


def running(root: Path) -> Iterator[Check]:
    """All that can be asked of a running stack; one skipped check where it does not run."""
    from floe_dev.supervisor.quick import quick_status

    try:
        status = quick_status(root)
    except FloeError as error:
        yield Check("stack", "supervisor", FAIL, f"{error.what}: {error.why}", error.fix or "")
        return
    if status is None:
        yield Check("stack", "supervisor", SKIPPED, "the stack is not running", "floe up")
        return
    yield Check("stack", "supervisor", PASS, f"pid {status['supervisor_pid']}, stack {status['stack']}")
    for service in status["services"]:
        name, state = service["name"], service["state"]
        if state == "ready":
            restarts = service.get("restarts") or 0
            last = f" (the last time it {service['last_end']})" if service.get("last_end") else ""
            note = f", restarted {restarts} times{last}" if restarts else ""
            port = f"port {service['port']}" if service.get("port") else f"pid {service['pid']}"
            yield Check("stack", name, WARNING if restarts else PASS, port + note, f"floe logs {name}")
        else:
            yield Check("stack", name, FAIL, f"{state}: {service.get('reason') or 'no reason'}", f"floe logs {name}")
    yield from _catalog(root)
    url = status["urls"].get("dagster")
    if url:
        yield from _dagster(url)


def _catalog(root: Path) -> Iterator[Check]:
    from floe_dev.session import Session

    session = Session(root)
    for principal in ("floe", "reader"):
        started = time.monotonic()
        try:
            count = len(session.tables(principal))
        except FloeError as error:
            yield Check("stack", f"catalog as {principal}", FAIL, f"{error.code.id}: {error.what}", error.fix)
            continue
        took = f"{1000 * (time.monotonic() - started):.0f} ms"
        yield Check("stack", f"catalog as {principal}", PASS, f"{count} tables listed in {took}")


def _dagster(url: str) -> Iterator[Check]:
    # No proxy: the request is to this machine whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/server_info", timeout=10) as answer:
            yield Check("stack", "dagster", PASS if answer.status == 200 else FAIL, f"answers at {url}")
    except (urllib.error.URLError, OSError) as error:
        yield Check("stack", "dagster", FAIL, f"{url} does not answer: {error}", "floe logs dagster-webserver")
