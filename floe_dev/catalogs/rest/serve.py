"""Serve the catalog: in this process, or in several that share its sockets and are kept alive by it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from types import FrameType

from floe_dev.catalogs.rest.settings import Settings
from floe_dev.tracing.spool import spool

log = logging.getLogger("floe.catalog")

#: Seconds that a worker has to end in good order.
GRACE_SECONDS = 3
#: Seconds before a worker that was killed is replaced, so that a broken one does not take the processor.
_PAUSE_SECONDS = 0.5
#: Exit code of a worker that cannot start, and so would not the next time.
CANNOT_START = 1


def serve(settings: Settings, addresses: Sequence[tuple[str, int]], workers: int = 1) -> int:
    """Until SIGTERM; the exit code, 1 where the database does not answer."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    # PyIceberg warns of every snapshot without a summary; that is between the client and its readers.
    warnings.filterwarnings("ignore", message="Encountered invalid snapshot summary")
    if workers <= 1:
        return _work(settings, [_listening(address) for address in addresses])
    if not _prepared(settings):
        return CANNOT_START
    sockets = [_listening(address) for address in addresses]
    # Imported once, before the fork: the workers share its memory, and the first commit does not wait for each of them.
    import uvicorn  # noqa: F401

    from floe_dev.catalogs.rest.app import warm_up

    warm_up()
    return _keep(workers, lambda: _work(settings, sockets))


def _listening(address: tuple[str, int]) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(address)
    return listening


def _prepared(settings: Settings) -> bool:
    """Make the tables and root before there are workers; False, and said in the log, where that cannot be."""
    from floe_dev.catalogs.rest.bootstrap import bootstrap
    from floe_dev.catalogs.rest.database import DatabaseError
    from floe_dev.catalogs.rest.server import Server

    try:
        server = Server(settings)
        try:
            bootstrap(server)
        finally:
            server.database.close()
    except (DatabaseError, OSError) as error:
        log.error("cannot open the database: %s", error)
        return False
    return True


def _work(settings: Settings, sockets: list[socket.socket]) -> int:
    import uvicorn

    from floe_dev.catalogs.rest.app import create_app
    from floe_dev.catalogs.rest.database import DatabaseError
    from floe_dev.catalogs.rest.protocol import patient_protocol

    try:
        app = create_app(settings)
    except (OSError, DatabaseError) as error:
        log.error("cannot open the database: %s", error)
        return CANNOT_START
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        log_level="info",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
        http=patient_protocol(settings.limits.request_seconds, settings.instance),
        ws="none",
    )
    uvicorn.Server(config).run(sockets)
    if (recorded := spool()) is not None:
        recorded.flush()  # a worker ends without the interpreter's exit handlers
    return 0


def _keep(count: int, work: Callable[[], int]) -> int:
    """Have `count` processes at `work` until SIGTERM or SIGINT; then end them, and return 0."""
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    workers: set[int] = set()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    workers.update(_fork(work) for _ in range(count))
    log.info("%d workers", count)
    exit_code = 0
    while workers:
        pid, status = os.wait()
        if pid not in workers:
            continue
        workers.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        if stopping:
            continue
        if code == CANNOT_START:
            exit_code = code
            stop(signal.SIGTERM, None)
            continue
        log.warning("worker %d ended with %d: starting another", pid, code)
        time.sleep(_PAUSE_SECONDS)
        if not stopping:
            workers.add(_fork(work))
    return exit_code


def _fork(work: Callable[[], int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = CANNOT_START
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        code = work()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else CANNOT_START
    except BaseException:
        log.exception("a worker failed")
    finally:
        # Not the interpreter's own end: that is the parent's to do.
        logging.shutdown()
        os._exit(code)
