"""A session as the dashboard's backend: watchers, commands and details of one stack behind one object."""

from __future__ import annotations

from collections.abc import Callable

from floe_dev.dashboard.details import Details
from floe_dev.dashboard.sending import Export, Sender
from floe_dev.dashboard.watching import Watchers
from floe_dev.model import commands
from floe_dev.model.details import Usage
from floe_dev.model.state import State
from floe_dev.session import Session


class LocalBackend(Details):
    """Implements `floe_dev.model.backend.Backend` for a project on this machine."""

    def __init__(self, session: Session, *, read_only: bool = False, export: Export | None = None) -> None:
        """Nothing is watched before `start`; `read_only` refuses every command, `export` writes a capsule."""
        super().__init__(session, read_only=read_only)
        self._watchers = Watchers(session, self)
        self._sender = Sender(session, self._watchers.poke, read_only=read_only, export=export)

    @property
    def state(self) -> State:
        """The latest picture."""
        return self._watchers.store.state

    def start(self) -> None:
        """Begin to watch, in daemon threads."""
        self._watchers.start()

    def stop(self) -> None:
        """Watch no more."""
        self._watchers.stop()

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after every change of `state`."""
        return self._watchers.store.subscribe(changed)

    def send(self, command: commands.Command) -> str:
        """Have a command carried out; FLOE8101 where the dashboard only reads."""
        return self._sender.send(command)

    def usage(self, service: str) -> Usage | None:
        """What the service's container uses; None where there is none."""
        from floe_dev.drivers.usage import container_usage
        from floe_dev.supervisor.paths import project_key

        return container_usage(project_key(self._session.root), service)

    def environment(self, service: str) -> tuple[tuple[str, str], ...]:
        """The log's place, what clients use, then the process's own; secrets hidden."""
        from floe_dev.config.credentials import load_secrets
        from floe_dev.dashboard.secrets import hidden, secret_values
        from floe_dev.watch.processes import environment_of

        values = secret_values(load_secrets(self._session.layout))
        pid = next((one.status.pid for one in self.state.services.items if one.status.name == service), None)
        own = hidden(environment_of(pid) if pid is not None else {}, values)
        clients = hidden(self._session.environment(), values)
        return (
            ("log", str(self._session.layout.logs_dir / f"{service}.log")),
            ("clients of the stack", "floe env"),
            *((f"  {name}", value) for name, value in clients),
            *(("its process", f"pid {pid}") for _ in own[:1]),
            *((f"  {name} ", value) for name, value in own),
        )

    def copies(self) -> tuple[tuple[str, str], ...]:
        """What can be copied for the whole stack; the credentials stay behind a command."""
        found = [(f"address of {name}", url) for name, url in self.state.stack.urls.items()]
        found.append(("settings for this shell", 'eval "$(floe env)"'))
        found.append(("dbt in this project", "floe exec -- dbt build"))
        dagster = self.state.stack.urls.get("dagster")
        if dagster:
            found.append(("Dagster's version", f"curl -s {dagster}/server_info"))
        return tuple(found)
