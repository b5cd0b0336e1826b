"""One project's lakehouse as an object: what the command line, the dashboard and the pytest plugin are made of.

Every heavy import happens inside the method that needs it, since `floe status` must answer within 150 ms.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import Layout

if TYPE_CHECKING:
    import duckdb
    from pyiceberg.catalog.rest import RestCatalog

    from floe_dev.catalogs.client import CatalogClient
    from floe_dev.catalogs.inspect import File
    from floe_dev.model.commands import StackCommand
    from floe_dev.model.connection import CatalogConnection
    from floe_dev.model.endpoints import EndpointTable
    from floe_dev.model.lineage import LineageGraph, RunLink
    from floe_dev.model.project import Project
    from floe_dev.model.runs import RunResult
    from floe_dev.model.status import Event, StackStatus
    from floe_dev.model.tables import TableInfo
    from floe_dev.orchestrators.dagster.client import DagsterClient
    from floe_dev.supervisor.choice import StackChoice
    from floe_dev.telemetry.join import Join
    from floe_dev.telemetry.query import TelemetryReader

    OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class UpOptions:
    """How to bring a stack up; `timeout` in seconds for the whole start, `port` is the Dagster UI's preferred one."""

    stack: str | None = None
    timeout: float = 120.0
    port: int | None = None
    #: A platform by name (`platform/NAME/platform.yaml`); remembered until another one is named.
    platform: str | None = None


#: Seconds that the join waits for Dagster: what else it knows is worth telling.
_PATIENCE_SECONDS = 10.0
#: Between two looks whether somebody else's first run is over.
_CLAIM_SECONDS = 0.2
#: The stack that starts no catalog of its own.
EXTERNAL = "external"


def _ignore(_event: Event) -> None:
    """Nobody watches."""


class Session:
    """The lakehouse of the project at `root` (the folder with floe.yaml).

    As a context manager, plain or async, it brings the stack up and stops it again; one that ran before goes on.

        with floe_dev.Session("my-lakehouse") as session:
            session.run()
    """

    def __init__(self, root: Path | str, options: UpOptions | None = None) -> None:
        """Nothing is read or started yet; `options` are those of `with`."""
        self.root = Path(root).resolve()
        self.layout = Layout(self.root)
        self._options = options
        self._ours = False

    def __enter__(self) -> Self:
        """Start the stack, unless it runs; raises what `up` raises, and leaves nothing of it running then."""
        self._ours = self.status() is None
        try:
            self.up(self._options)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop it if `with` started it; data stay."""
        if self._ours:
            self._ours = False
            self.down()

    async def __aenter__(self) -> Self:
        """As `__enter__`, in a thread: the event loop goes on meanwhile."""
        from anyio.to_thread import run_sync

        return await run_sync(self.__enter__)

    async def __aexit__(self, *exc: object) -> None:
        """As `__exit__`, in a thread."""
        from anyio import CancelScope
        from anyio.to_thread import run_sync

        # A cancelled task still stops what it started.
        with CancelScope(shield=True):
            await run_sync(self.__exit__, *exc)

    @cached_property
    def project(self) -> Project:
        """The project's configuration; FLOE1xxx if it is wrong."""
        from floe_dev.config.project import load_project

        return load_project(self.root)

    def status(self) -> StackStatus | None:
        """The stack as last seen; None where it does not run."""
        from floe_dev.supervisor.client import status

        return status(self.root)

    def require_running(self) -> None:
        """Raise FLOE2001 where the stack does not run."""
        from floe_dev.supervisor.quick import quick_status

        if quick_status(self.root) is None:
            raise self._not_running()

    def up(self, options: UpOptions | None = None, on_event: OnEvent = _ignore) -> StackStatus:
        """Start the stack, or wait for the one that is starting; returns when it is ready.

        Raises:
            FloeError: what ended the start (FLOE1xxx, 2xxx, 3xxx); nothing of the stack runs then.
        """
        from floe_dev.supervisor.client import StartOptions, start

        options = options or UpOptions()
        stack, notices = self._choose_platform(options), []
        if stack is None and (choice := self.automatic_choice()) is not None:
            stack = choice.stack
            notices.append(choice.line())
        elif (moved := self._moving(stack)) is not None:
            notices.append(moved)
        self.project  # noqa: B018 - a wrong configuration is told here, before anything is started
        ports = (("dagster-webserver", options.port),) if options.port is not None else ()
        wanted = StartOptions(stack=stack, timeout_seconds=options.timeout, ports=ports)
        for text in notices:
            on_event(_notice(text))
        for event in start(self.root, wanted):
            on_event(event)
        self.__dict__.pop("project", None)  # the catalog may listen elsewhere than when it was read
        status = self.status()
        if status is None:
            raise self._not_running("it ended right after it was ready")
        return status

    @property
    def external(self) -> bool:
        """Whether the project works on a platform that is not this machine's own."""
        from floe_dev.config.project import platform_name

        return platform_name(self.root, os.environ) != "local"

    def _choose_platform(self, options: UpOptions) -> str | None:
        """Remember the platform, tell it to what is started, and return the stack that fits; FLOE1204 for no such."""
        from floe_dev.config.private import write_private
        from floe_dev.config.project import known_platforms, platform_name
        from floe_dev.supervisor.state import load_state, prepare_state_dir

        if options.platform is not None:
            known = known_platforms(self.root, Path.home())
            if options.platform not in known:
                raise FloeError(
                    Code.UNKNOWN_REFERENCE,
                    f"there is no platform `{options.platform}`",
                    why=f"the platforms known here are: {', '.join(known)}",
                    fix=f"write platform/{options.platform}/platform.yaml",
                )
            os.environ["FLOE_PLATFORM_ENV"] = options.platform
            prepare_state_dir(self.layout)
            if options.platform == "local":
                self.layout.platform_choice.unlink(missing_ok=True)
            else:
                write_private(self.layout.platform_choice, options.platform)
            self.__dict__.pop("project", None)
        if platform_name(self.root, os.environ) != "local":
            return options.stack or EXTERNAL
        state = load_state(self.layout)
        return options.stack or ("embedded" if state is not None and state.stack == EXTERNAL else None)

    def automatic_choice(self) -> StackChoice | None:
        """The stack that a project without one gets, and why; None where it has one already."""
        from floe_dev.supervisor.choice import choose
        from floe_dev.supervisor.state import load_state

        return choose(self.root, os.environ) if load_state(self.layout) is None else None

    def download_bytes(self, image: str) -> int | None:
        """About how much a pull of one of the default stack's images takes; None where the stack file does not say."""
        from floe_dev.config.stacks import load_stack
        from floe_dev.supervisor.choice import FULL

        sizes = {service.image: service.download_bytes for service in load_stack(FULL, self.root).services}
        return sizes.get(image)

    def _moving(self, stack: str | None) -> str | None:
        """Where the tables are that were made with another stack than `stack`; None where there are none."""
        from floe_dev.config.stacks import tables_of
        from floe_dev.supervisor.state import load_state

        state = load_state(self.layout)
        if stack is None or state is None or state.stack in (stack, EXTERNAL) or not state.first_run_done:
            return None
        if tables_of(stack, self.root) == tables_of(state.stack, self.root):
            return None
        return (
            f"the tables so far are in the stack `{state.stack}` and stay there; "
            f"back to them: `floe down && floe up --stack {state.stack}`"
        )

    def provisioning(self, options: UpOptions) -> list[str]:
        """What `provision` would make in the platform that `options` choose; none on the local one, which floe makes.

        Raises FloeError 3xxx where the platform's catalog cannot be asked.
        """
        from floe_dev.catalogs.namespaces import missing_namespaces
        from floe_dev.config.connection import connection_from_platform

        self._choose_platform(options)
        if not self.external:
            return []
        missing = missing_namespaces(connection_from_platform(self.project, os.environ), self.project.namespaces())
        return [f"namespace {name}" for name in missing]

    def provision(self, planned: Sequence[str]) -> None:
        """Make what `provisioning` said; raises FloeError 1310 until writes are allowed, 3002 where it is refused."""
        from floe_dev.catalogs.namespaces import create_namespaces
        from floe_dev.config.connection import connection_from_platform
        from floe_dev.config.writes import require_writes_allowed

        require_writes_allowed(self.root, os.environ, "floe up --provision --allow-writes")
        names = [item.removeprefix("namespace ") for item in planned]
        create_namespaces(connection_from_platform(self.project, os.environ), names)

    def allow_writes(self) -> None:
        """Let runs from this machine write into the platform that is chosen; remembered until `floe reset`."""
        from floe_dev.config.writes import allow_writes

        allow_writes(self.root)

    def down(self, *, volumes: bool = False, on_event: OnEvent = _ignore) -> None:
        """Stop the stack and whatever a killed one left; with `volumes` delete its tables, catalog and runs too.

        Stopping what does not run is no error.
        """
        from floe_dev.supervisor.client import down

        for event in down(self.root):
            on_event(event)
        if volumes:
            self._delete_volumes()

    def send(self, command: StackCommand) -> str:
        """Have the stack's supervisor carry a command out; one line on what was done.

        Raises:
            FloeError: FLOE1310 until writes are allowed, where it writes into a platform that is not local; 2001 if the
                stack does not run or ends meanwhile; what became of the command.
        """
        from floe_dev.config.writes import require_writes_allowed
        from floe_dev.model.commands import WRITING
        from floe_dev.supervisor.client import send

        if isinstance(command, WRITING):
            require_writes_allowed(self.root, os.environ)
        self.require_running()
        return send(self.root, command)

    def restart(self, service: str) -> None:
        """Restart one service and wait until it is ready; FLOE2103 if there is none of that name."""
        from floe_dev.model.commands import RestartService

        self.send(RestartService(service))

    def _delete_volumes(self) -> None:
        import shutil

        from floe_dev.supervisor.client import sweep_containers
        from floe_dev.supervisor.state import load_state, save_state

        sweep_containers(self.layout, volumes=True)
        for folder in (self.layout.warehouse_dir, self.layout.catalog_dir, self.layout.dagster_home):
            if folder.exists():
                shutil.rmtree(folder)
        state = load_state(self.layout)
        if state is not None:
            save_state(self.layout, state.model_copy(update={"first_run_done": False}))

    def dagster(self) -> DagsterClient:
        """A client of the stack's Dagster; FLOE2001 where the stack does not run."""
        from floe_dev.orchestrators.dagster.client import dagster_of
        from floe_dev.supervisor.quick import quick_status

        status = quick_status(self.root)
        if status is None:
            raise self._not_running()
        return dagster_of(status["urls"])

    def first_run_done(self) -> bool:
        """Whether a run of everything was carried through once in this project, whatever became of it."""
        from floe_dev.supervisor.client import first_run_done

        return first_run_done(self.root)

    def out_of_date(self) -> tuple[list[str], list[str]]:
        """Assets that were never materialized, and those older than their SLA, their code or their inputs."""
        assets = [asset for asset in self.dagster().assets() if asset.materializable]
        missing = [asset.key for asset in assets if asset.materialized_at is None]
        old = [asset.key for asset in assets if asset.state in ("stale", "outdated") and asset.key not in missing]
        return missing, old

    def stale_closure(self) -> list[str]:
        """What is out of date and all that is made from it, which would be out of date right after."""
        missing, stale = self.out_of_date()
        chosen = {*missing, *stale}
        assets = [asset for asset in self.dagster().assets() if asset.materializable]
        while added := {a.key for a in assets if a.key not in chosen and chosen.intersection(a.depends_on)}:
            chosen |= added
        return sorted(chosen)

    def run(
        self,
        selection: Sequence[str] = (),
        on_event: OnEvent = _ignore,
        *,
        partition: str | None = None,
        wait: bool = True,
    ) -> RunResult:
        """Materialize assets and wait for it (unless `wait` is false); a Ctrl-C meanwhile cancels the run.

        The parts of `selection` (none: everything) are keys or Dagster's selection syntax. `partition` is one key or a
        range `FIRST..LAST`; without it partitioned assets are made for all their partitions. Assets with different
        partitions definitions need a run each; they are reported as one. That assets failed is in the result; see
        `floe_dev.model.runs.raise_if_failed`.

        Raises:
            FloeError: FLOE5002 if the selection names nothing or Dagster refuses the run, 5101 for a partition that
                an asset does not have.
        """
        return self._materialize(selection, on_event, partition=partition, wait=wait)

    def first_run(self, on_event: OnEvent = _ignore, *, always: bool = False, wait: bool = True) -> RunResult | None:
        """Materialize everything where that was never done, or `always`; what came of it, as `run`.

        None where it was done meanwhile: somebody else who makes the first run is waited for (unless `wait` is false),
        for two at once would write the same tables.
        """
        from floe_dev.model.status import Event
        from floe_dev.supervisor.first_run import first_run_claim

        told = False
        while True:
            with first_run_claim(self.layout) as ours:
                if ours:
                    again = always or not self.first_run_done()
                    return self._materialize((), on_event, first=True, wait=wait) if again else None
            if not wait:
                return None
            if not told:
                told = True
                text = "somebody else makes the first run: waiting for its end"
                on_event(Event(kind="notice", time=time.time(), data={"text": text}))
            time.sleep(_CLAIM_SECONDS)

    def _materialize(
        self,
        selection: Sequence[str],
        on_event: OnEvent,
        *,
        partition: str | None = None,
        first: bool = False,
        wait: bool,
    ) -> RunResult:
        from floe_dev.config.writes import require_writes_allowed
        from floe_dev.orchestrators.dagster.running import run_assets

        require_writes_allowed(self.root, os.environ)
        try:
            result = run_assets(
                self.dagster(), self.layout, selection, on_event, partition=partition, first=first, wait=wait
            )
        except FloeError as error:
            if error.code is Code.NO_SUCH_PARTITION:
                error.where = self._place("orchestration", "partitions")
            raise
        if not selection and result.status != "canceled":
            # Tried once, that is enough: what failed is told by every later `up`, which must not run it all again.
            self._finish_first_run()
        return result

    def _place(self, *keys: str) -> Where | None:
        """The line of floe.yaml where `keys` stand; None without the file."""
        from floe_dev.config.yaml_source import read_yaml
        from floe_dev.model.layout import FLOE_FILE

        file = self.root / FLOE_FILE
        return read_yaml(file).where(keys) if file.is_file() else None

    def _finish_first_run(self) -> None:
        from floe_dev.supervisor.client import finish_first_run

        finish_first_run(self.root)

    def connection(self, principal: str = "floe") -> CatalogConnection:
        """How to reach the catalog as `principal`; FLOE2xxx if the stack never ran.

        The stack's own generated credentials come first; a catalog that floe did not provision is reached with what
        platform.yaml refers to.
        """
        from floe_dev.config.connection import stack_connection

        return stack_connection(self.project, os.environ, principal)

    def environment(self, principal: str = "floe") -> dict[str, str]:
        """The variables that let any program reach the stack and send it traces and lineage, secrets included."""
        from floe_dev.config.credentials import load_secrets
        from floe_dev.supervisor.state import load_state
        from floe_dev.telemetry import service

        found = {**self.connection(principal).environment(), **self.layout.environment()}
        secrets, state = load_secrets(self.layout), load_state(self.layout)
        if secrets is not None and state is not None and service.NAME in state.ports:
            token = secrets.telemetry_token.get_secret_value()
            found |= service.sender_environment(self.layout, state.ports[service.NAME], token)
            found |= service.grpc_environment(self.layout)
        return found

    def duckdb(self, principal: str = "floe") -> duckdb.DuckDBPyConnection:
        """A DuckDB connection with the catalog attached; the caller closes it.

        It only reads where this machine may not write into the platform (FLOE1310).
        """
        from floe_dev.compute.duckdb import connect
        from floe_dev.config.writes import are_writes_allowed

        self.require_running()
        return connect(self.connection(principal), read_only=not are_writes_allowed(self.root, os.environ))

    def catalog(self, principal: str = "floe") -> RestCatalog:
        """PyIceberg's client of the catalog."""
        from floe_dev.catalogs.traced import traced_catalog

        return traced_catalog(self.connection(principal))

    def tables(self, principal: str = "floe") -> list[TableInfo]:
        """Every table and view, from metadata alone."""
        self.require_running()
        with self._client(principal) as client:
            return client.tables()

    def table(self, identifier: str, principal: str = "floe") -> TableInfo:
        """One table or view, from metadata alone; FLOE6002 if there is none."""
        self.require_running()
        with self._client(principal) as client:
            return client.table(identifier)

    def endpoints(self) -> EndpointTable:
        """Which endpoint works from this machine and from inside the containers' network; FLOE2001, 2301, 2302."""
        from floe_dev.supervisor.endpoints import endpoint_table

        self.require_running()
        return endpoint_table(self.root)

    def files(self, info: TableInfo) -> tuple[File, ...]:
        """The files of a table's current snapshot, from its manifests; none for a view."""
        from floe_dev.catalogs.inspect import files_of, open_table

        return tuple(files_of(open_table(self.connection(), info))) if info.kind == "table" else ()

    def telemetry(self) -> TelemetryReader:
        """What was received of traces, logs and lineage; the stack need not run."""
        from floe_dev.telemetry.query import TelemetryReader

        return TelemetryReader(self.layout)

    def join(self, tables: Sequence[TableInfo] | None = None, *, runs: int = 100) -> Join:
        """Asset, run, trace and snapshot found from each other (over `tables`, else all of the catalog's).

        Dagster's latest `runs` are read at once, older ones when something leads to them.

        Of a stack that does not run, only what the traces remember is known; of one that runs, the join names who did
        not answer.
        """
        from floe_dev.orchestrators.dagster.client import DagsterClient
        from floe_dev.supervisor.quick import quick_status
        from floe_dev.telemetry.dagster_runs import dagster_runs, dagster_runs_by_id
        from floe_dev.telemetry.join import Join

        if quick_status(self.root) is None:
            return Join(self.telemetry(), tables or (), ())
        missing: list[str] = []
        latest: list[RunLink] | None = None
        try:
            tables = self.tables() if tables is None else tables
        except FloeError as error:
            missing.append(error.what)
        client = DagsterClient(self.dagster().url, _PATIENCE_SECONDS)
        try:
            latest = dagster_runs(client, runs)
        except FloeError as error:
            missing.append(error.what)
        look_up = None if latest is None else partial(dagster_runs_by_id, client)
        return Join(self.telemetry(), tables or (), latest or (), look_up, missing)

    def lineage(self, focus: str, *, depth: int | None = None) -> LineageGraph:
        """What the dataset `namespace.name` is made from and what is made from it, by events and Dagster's graph."""
        from floe_dev.model.lineage import LineageEdge
        from floe_dev.supervisor.quick import quick_status
        from floe_dev.telemetry.graph import around

        reader = self.telemetry()
        edges = {(edge.source, edge.target): edge for edge in reader.edges()}
        if quick_status(self.root) is not None:
            for asset in self.dagster().assets():
                target = asset.key.replace("/", ".")
                for source in (key.replace("/", ".") for key in asset.depends_on):
                    edges.setdefault((source, target), LineageEdge(source=source, target=target, job=asset.key))
        return around(focus, edges.values(), reader.column_edges(), depth=depth)

    def _client(self, principal: str) -> CatalogClient:
        from floe_dev.catalogs.client import CatalogClient

        return CatalogClient(self.connection(principal))

    def _not_running(self, why: str | None = None) -> FloeError:
        return FloeError(
            Code.NOT_RUNNING,
            "the stack is not running",
            why=why or f"no supervisor answers for {self.root}",
            fix="floe up",
        )


def _notice(text: str) -> Event:
    import time

    from floe_dev.model.status import Event

    return Event(kind="notice", time=time.time(), data={"text": text})
