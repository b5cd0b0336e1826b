"""Dagster's code server that follows the project's files: `dagster api grpc` with a reload that works.

Dagster's own server loads definitions once; `dagster code-server start` reloads by starting a second interpreter. Here
the project's modules are loaded again in the same process and swapped in whole, and only if they load: what Dagster
serves is always the last good graph.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import traceback
import uuid
from pathlib import Path
from typing import Any

from dagster._grpc import server as dagster_server
from dagster._grpc.__generated__ import dagster_api_pb2
from dagster_dbt.dbt_manifest import read_manifest_path

from floe_dev.orchestrators.dagster.watch import Watch, write_report


class ReloadingApiServer(dagster_server.DagsterApiServer):
    """A DagsterApiServer whose ReloadCode reloads, asked by the web server or by a change of a file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Load the definitions as Dagster does, then follow FLOE_PROJECT_DIR, if it is set."""
        self._floe_lock = threading.Lock()
        self._floe_arguments = {
            key: kwargs.get(key) for key in ("container_image", "container_context", "defs_state_info")
        }
        self._floe_location = kwargs.get("location_name")
        root = os.environ.get("FLOE_PROJECT_DIR")
        self._floe_watch = Watch(Path(root)) if root else None
        self._floe_told: tuple[tuple[object, ...], str] | None = None
        self._floe_telling = threading.Lock()
        super().__init__(*args, **kwargs)
        if self._floe_watch is not None:
            if self._loaded_repositories is not None:
                write_report(self._floe_watch.root, None)
            else:
                # Dagster keeps the error as text only; who waits for the start is told its code and its place.
                self.reload()
            threading.Thread(target=self._follow, name="floe-watch", daemon=True).start()

    def ReloadCode(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Load the project again; what cannot be loaded is told in the log and changes nothing."""
        if self._floe_watch is None or self._floe_watch.changed():
            self.reload()
        return dagster_api_pb2.ReloadCodeReply()

    def _get_serialized_external_repository_data(self, request: Any) -> str:
        """Web server and daemon ask the same at the same moment; a thousand assets take half a second.

        It is made once for both.
        """
        asked = (self._server_id, request.serialized_repository_python_origin, request.defer_snapshots)
        with self._floe_telling:
            if self._floe_told is None or self._floe_told[0] != asked:
                self._floe_told = (asked, super()._get_serialized_external_repository_data(request))
            return self._floe_told[1]

    def reload(self) -> bool:
        """Swap in the definitions as the files have them now; False if they do not load."""
        with self._floe_lock:
            watch = self._floe_watch
            modules = _forget_modules(watch.root) if watch is not None else {}
            # dagster-dbt keeps each manifest it has read for the life of the process.
            read_manifest_path.cache_clear()
            try:
                loaded = dagster_server.LoadedRepositories(
                    self._loadable_target_origin,
                    entry_point=self._entry_point,
                    code_location_name=self._floe_location,
                    **self._floe_arguments,
                )
            except Exception as error:  # noqa: BLE001 - the user's code may raise anything; the old graph stays
                sys.modules.update(modules)
                traceback.print_exc()
                if watch is not None:
                    write_report(watch.root, error)
                return False
            self._loaded_repositories = loaded
            self._serializable_load_error = None
            # The web server and the daemon ask for this id each second: a new one makes them load the location anew.
            self._server_id = str(uuid.uuid4())
            if watch is not None:
                write_report(watch.root, None)
            return True

    def _follow(self) -> None:
        assert self._floe_watch is not None
        while not self._server_termination_event.wait(self._floe_watch.interval_seconds):
            if self._floe_watch.changed():
                self.reload()


def _forget_modules(root: Path) -> dict[str, Any]:
    """Take the project's own modules out of sys.modules, so that they are imported again; returns them."""
    state, found = root / ".floe", {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or name == "__main__":
            continue
        path = Path(file)
        inside = path.is_relative_to(root) and not path.is_relative_to(state) and "site-packages" not in path.parts
        if inside or name == "floe_dev.orchestrators.dagster.entry":
            found[name] = sys.modules.pop(name)
    importlib.invalidate_caches()
    return found


def main() -> None:
    """`python -m floe_dev.orchestrators.dagster.code_server …` takes the arguments of `dagster api grpc`."""
    # The command makes its server from this name when it runs.
    dagster_server.DagsterApiServer = ReloadingApiServer  # type: ignore[misc]
    from dagster._cli.api import grpc_command

    grpc_command.main(sys.argv[1:], prog_name="dagster api grpc")


if __name__ == "__main__":
    main()
