"""The one exception base, the stable error codes and the exit codes.

Every failure a user can meet has a code (`FLOE1203`), a title, an explanation that `floe explain` prints, and the exit
code of the process. Raising is `raise FloeError(Code.X, "what is wrong", why=..., fix=..., where=...)`.

Code ranges: 1xxx project and configuration, 2xxx supervisor and services, 3xxx catalog and provisioning, 4xxx dbt,
5xxx Dagster and runs, 6xxx SQL and tables, 7xxx traces and lineage, 9xxx the machine (Python, disk, permissions).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of every `floe` command; distinct, documented, stable."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    NOT_RUNNING = 4
    TIMEOUT = 5
    SERVICE_FAILED = 6
    RUN_FAILED = 7
    PORT = 8
    MACHINE = 9
    BUSY = 10
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True)
class Kind:
    """What a code means, independent of one occurrence."""

    number: int
    title: str
    explanation: str
    exit_code: ExitCode = ExitCode.FAILED


class Code(Enum):
    """The registry of error codes; a code is never reused for another meaning."""

    # 1xxx: project and configuration
    NO_PROJECT = Kind(
        1001,
        "no project found",
        "floe looks for floe.yaml, then for dbt_project.yml, from the working directory upwards. Run the command "
        "inside a project, name one with "
        "--project, or make a new one with `floe init`.",
        ExitCode.CONFIG,
    )
    SEVERAL_STACKS = Kind(
        1002,
        "several stacks are running",
        "Outside a project, floe works on the only one below the working directory, else on the only stack that is "
        "running; with several it asks which one.",
        ExitCode.CONFIG,
    )
    FOLDER_IN_USE = Kind(
        1003,
        "the folder is not empty",
        "`floe init` never overwrites files. Give it a new or an empty folder.",
        ExitCode.CONFIG,
    )
    YAML_SYNTAX = Kind(
        1101, "a YAML file does not parse", "The file is not valid YAML at the place named.", ExitCode.CONFIG
    )
    CONFIG_FILE_UNREADABLE = Kind(
        1102,
        "a configuration file cannot be read",
        "The file is missing, is not a regular file, is not UTF-8, or its permissions keep floe from reading it.",
        ExitCode.CONFIG,
    )
    STATE_VERSION = Kind(
        1103,
        "the project's state is of a newer version",
        "A newer floe wrote .floe/state.json, in a form that this one does not know. It was left as it is.",
        ExitCode.CONFIG,
    )
    UNKNOWN_KEY = Kind(
        1201,
        "unknown key in a configuration file",
        "Unknown keys are refused, since a misspelt key would otherwise be ignored in silence.",
        ExitCode.CONFIG,
    )
    INVALID_VALUE = Kind(
        1202, "invalid value in a configuration file", "The value is not what the key takes.", ExitCode.CONFIG
    )
    SECRET_MISSING = Kind(
        1203,
        "a secret_ref cannot be resolved",
        "A secret_ref such as polaris-client-id is looked up as the environment variable POLARIS_CLIENT_ID, "
        "then as the file /var/run/secrets/polaris-client-id.",
        ExitCode.CONFIG,
    )
    UNKNOWN_REFERENCE = Kind(
        1204,
        "a logical name is not defined",
        "floe.yaml refers to storage, catalogs and compute by names that platform.yaml defines.",
        ExitCode.CONFIG,
    )
    UNKNOWN_STACK = Kind(
        1205, "no such stack", "A stack is a YAML file in stacks/, the project's or floe's own.", ExitCode.CONFIG
    )
    SEVERAL_DBT_PROJECTS = Kind(
        1301,
        "several dbt projects",
        "A floe project has one dbt project: its profile, its manifest and its asset keys are one graph.",
        ExitCode.CONFIG,
    )
    DBT_VERSION = Kind(
        1302,
        "the manifest was made by another dbt",
        "dbt writes a manifest for its own version; another version reads it wrongly or not at all.",
        ExitCode.CONFIG,
    )
    DBT_PROFILE = Kind(
        1303,
        "the dbt profile does not fit the project",
        "dbt_project.yml names its profile and floe.yaml its target; floe generates a profiles.yml with just these.",
        ExitCode.CONFIG,
    )
    ASSET_KEY_TWICE = Kind(
        1304,
        "two definitions of one asset",
        "An asset's key is its table's name in the catalog, so two assets with one key would overwrite each other.",
        ExitCode.CONFIG,
    )
    ASSET_CYCLE = Kind(
        1305, "assets depend on each other in a circle", "No order exists in which they could be made.", ExitCode.CONFIG
    )
    PARTITIONS_MISALIGNED = Kind(
        1306,
        "a model cannot be built by partition",
        "A run of one partition must replace exactly that partition's rows. The model's materialization, incremental "
        "strategy and keys decide whether it does (docs/how-to/partitions.md).",
        ExitCode.CONFIG,
    )
    WRITES_NOT_ALLOWED = Kind(
        1310,
        "writes into this platform are not allowed",
        "With a platform that is not local, `floe up` only looks. The first run from this machine needs "
        "`floe run --allow-writes`; that is remembered until `floe reset`.",
        ExitCode.CONFIG,
    )
    VALIDATION_FAILED = Kind(
        1401,
        "the project does not pass the platform's checklist",
        "`floe validate` found at least one thing that is not as the platform's rules want it; each is told with its "
        "place and its fix (docs/how-to/validate.md).",
    )
    ARTIFACTS_CHANGED = Kind(
        1402,
        "compiled artifacts were changed",
        "The file of `floe compile` names the hash of its own content. A file that was edited, cut or damaged is "
        "refused: change the project and compile it again.",
        ExitCode.CONFIG,
    )
    ARTIFACTS_VERSION = Kind(
        1403,
        "compiled artifacts have another format",
        "Another version of floe compiled the file. Compile the project again with this one.",
        ExitCode.CONFIG,
    )
    ARTIFACTS_SECRET = Kind(
        1404,
        "a credential would be compiled",
        "Compiled artifacts hold names of secrets, never a secret. Refer to it by `secret_ref`.",
        ExitCode.CONFIG,
    )
    # 15xx: what can be exchanged
    NO_SUCH_PLUGIN = Kind(
        1501,
        "an orchestrator, compute, catalog or storage is not installed",
        "They are found by name among the entry points of installed packages; some need packages that floe itself does "
        "without (docs/how-to/extend.md).",
        ExitCode.CONFIG,
    )
    # 2xxx: supervisor and services
    NOT_RUNNING = Kind(
        2001,
        "the stack is not running",
        "The command needs a running stack; `floe up` starts it.",
        ExitCode.NOT_RUNNING,
    )
    SUPERVISOR_FAILED = Kind(
        2002,
        "the supervisor did not start or did not answer",
        "The supervisor is the background process that owns the services; its log is .floe/logs/supervisor.log.",
        ExitCode.SERVICE_FAILED,
    )
    SERVICE_FAILED = Kind(
        2101,
        "a service ended or never became ready",
        "The last lines of its log are shown with the error; the whole log is in .floe/logs/.",
        ExitCode.SERVICE_FAILED,
    )
    START_TIMEOUT = Kind(
        2102,
        "the stack was not ready in time",
        "All services share one deadline (--timeout). What each one that is not ready last answered is shown.",
        ExitCode.TIMEOUT,
    )
    NO_SUCH_SERVICE = Kind(2103, "no such service", "`floe status` lists the services of the stack.", ExitCode.USAGE)
    STEP_FAILED = Kind(
        2104,
        "a step of starting up failed",
        "Steps are what happens once while the stack starts, such as provisioning; each has a log in .floe/logs/.",
        ExitCode.SERVICE_FAILED,
    )
    ANOTHER_STACK_RUNS = Kind(
        2105,
        "the project runs another stack",
        "One stack runs per project; its tables are not those of another stack.",
        ExitCode.BUSY,
    )
    LEFT_BEHIND = Kind(
        2106,
        "something of the stack is still there",
        "After ending everything that carries this stack's marker, a process was still found.",
    )
    SHARED_STACK_VERSION = Kind(
        2107,
        "tests share a stack that another version started",
        "All processes of one pytest run use one catalog. It has to be of the version that they import.",
        ExitCode.BUSY,
    )
    CI_DEADLINE = Kind(
        2108,
        "the deadline of the CI job passed",
        "`floe ci` gives start, run and program one deadline together (--deadline). What still ran then was ended.",
        ExitCode.TIMEOUT,
    )
    PROGRAM_FAILED = Kind(
        2109,
        "the program of the CI job failed",
        "`floe ci -- PROGRAM` ends with the program's own exit code.",
    )
    TOO_MANY_COMMANDS = Kind(
        2110,
        "too many commands hang",
        "The supervisor carries out a few commands at a time, and as many wait for Dagster or the catalog already. "
        "`floe status` shows which service does not answer, `floe restart SERVICE` starts it anew; the commands that "
        "wait for it end with that.",
        ExitCode.BUSY,
    )
    # 23xx: containers
    NO_ENGINE = Kind(
        2301,
        "no Docker engine answers",
        "The stack has services in containers. The engine is found by DOCKER_HOST, the chosen Docker context, or the "
        "sockets of Docker, Docker Desktop, Colima, OrbStack, Rancher Desktop and Podman, rootless ones too.",
    )
    ENGINE_DENIED = Kind(
        2302,
        "the Docker engine's socket is closed to this user",
        "Only root and the members of the socket's group may speak to the engine; a new group needs a new login.",
    )
    IMAGE_MISSING = Kind(
        2303,
        "an image is not on this machine",
        "Neither was it there nor could the engine pull it. `floe images build` makes floe's own.",
    )
    ENGINE_REFUSED = Kind(
        2304, "the Docker engine refused", "What the engine said is shown with the error.", ExitCode.SERVICE_FAILED
    )
    STORE_REFUSED = Kind(
        2305,
        "the object store refused",
        "The bucket, its user or its policy could not be made; the store's log says more.",
        ExitCode.SERVICE_FAILED,
    )
    IMAGE_NOT_BUILT = Kind(
        2306,
        "an image could not be built",
        "Floe's own images are made from what package registries have, got with this machine's apt, and uv or pip.",
        ExitCode.MACHINE,
    )
    DATABASE_REFUSED = Kind(
        2307,
        "the stack's database refused",
        "The database for Dagster's runs could not be made; PostgreSQL's log says more. Data of an earlier stack whose "
        "password is lost with `.floe/secrets.json` cannot be opened any more: `floe down --volumes` begins anew.",
        ExitCode.SERVICE_FAILED,
    )
    IMAGE_ARCHITECTURE = Kind(
        2321,
        "an image is for another processor",
        "The engine runs programs of its own architecture only. Images of floe's own are built for the engine's; of "
        "published ones the right variant is pulled with --platform.",
        ExitCode.MACHINE,
    )
    NAME_CLASH = Kind(
        2322,
        "a name is taken by something that is not floe's",
        "The network and the containers of a project have names of their own. What has such a name without floe's "
        "label is left alone, so it has to be renamed or removed by whoever made it.",
        ExitCode.BUSY,
    )
    VOLUME_VERSION = Kind(
        2323,
        "a volume is from another version",
        "The program in the container cannot read data of the version that wrote the volume. Nothing was touched.",
        ExitCode.CONFIG,
    )
    CLOCK_SKEW = Kind(
        2324,
        "the clocks of this machine and of the containers differ",
        "Signed requests (S3, STS) are refused when the clocks are more than 15 minutes apart; tokens expire early or "
        "late with less. The clock of an engine's virtual machine stops while a laptop sleeps.",
        ExitCode.MACHINE,
    )
    PORT_TAKEN = Kind(
        2325,
        "a port was taken in the last moment",
        "Ports are chosen before the containers start; something else took one in between, or the engine's machine has "
        "it in use where this one does not see it.",
        ExitCode.PORT,
    )
    NETWORK_CELL = Kind(
        2326,
        "an endpoint does not work from everywhere",
        "Catalog, credentials and object store are asked from this machine and from inside the containers' network; "
        "`floe doctor` shows what works from where, and the setting to change for each that does not.",
        ExitCode.SERVICE_FAILED,
    )
    # 3xxx: catalog and provisioning
    CATALOG_UNREACHABLE = Kind(
        3001,
        "the catalog does not answer",
        "Nothing answers at the catalog's address, or it closed the connection. `floe status` shows whether its "
        "service runs, `floe logs catalog` what it last said.",
        ExitCode.SERVICE_FAILED,
    )
    CATALOG_REFUSED = Kind(
        3002,
        "the catalog refused a request",
        "The catalog answered with an error: the principal lacks a privilege, the credentials are not its own, or the "
        "request is one it does not know.",
    )
    CATALOG_MOVED = Kind(
        3003,
        "the catalog keeps its data elsewhere",
        "Iceberg metadata names its files by absolute location, so a project that was moved or copied cannot use the "
        "catalog it brought along.",
        ExitCode.CONFIG,
    )
    NOT_READY = Kind(
        3004,
        "the catalog answers, but a table cannot be made in it",
        "Before the stack counts as ready the scoped principal creates, writes, reads and drops an Iceberg table.",
        ExitCode.SERVICE_FAILED,
    )
    ROOT_SECRET_LOST = Kind(
        3005,
        "the catalog was made with another root secret",
        "Polaris keeps the secret that its root was made with for good, and stores only its hash, so nobody can read "
        "it back. The tables' files are still in MinIO and in the volume, and go with `floe down --volumes`. With the "
        "old `.floe/secrets.json` everything works again. floe's own catalog, MinIO and PostgreSQL take a new secret.",
        ExitCode.CONFIG,
    )
    # 4xxx: dbt
    DBT_PARSE_FAILED = Kind(
        4001,
        "the dbt project does not parse",
        "The message, file and line are dbt's own. Nothing was run; the last good manifest stays in use.",
        ExitCode.CONFIG,
    )
    OUTSIDE_CATALOG = Kind(
        4002,
        "a dbt table would not be in the catalog",
        "With the profile type `floe` the path is ':memory:' and the database is the one attached Iceberg catalog, for "
        "the profile and for every model. Anything else would leave tables where nobody else finds them.",
        ExitCode.CONFIG,
    )
    TABLE_LAYOUT = Kind(
        4003,
        "a model's partition_by or sort_order is not understood",
        "docs/reference/dbt-model-configuration.md has the forms. The columns must be the model's own.",
        ExitCode.CONFIG,
    )
    CONTRACT_NULLS = Kind(
        4004,
        "a contract's not_null column has nulls",
        "The rows were written to files that no snapshot names; the table is as it was.",
        ExitCode.RUN_FAILED,
    )
    SNAPSHOT_TABLE_GONE = Kind(
        4005,
        "a dbt snapshot's table is gone",
        "It was dropped while the snapshot ran. Run it again: a new table is made.",
        ExitCode.RUN_FAILED,
    )
    UNSUPPORTED_TYPE = Kind(
        4006,
        "a column has a type that Iceberg does not have",
        "Such as INTERVAL, BIT or TIME WITH TIME ZONE. Cast it in the model.",
        ExitCode.RUN_FAILED,
    )
    INCREMENTAL_CONFIG = Kind(
        4007,
        "an incremental strategy is unknown or lacks what it needs",
        "Strategies are append, delete+insert, merge and microbatch; delete+insert needs a unique_key, microbatch an "
        "event_time and no unique_key.",
        ExitCode.RUN_FAILED,
    )
    COLUMNS_CHANGED = Kind(
        4008,
        "a model's columns changed and on_schema_change is fail",
        "Nothing was committed. Rebuild with --full-refresh, or choose another on_schema_change.",
        ExitCode.RUN_FAILED,
    )
    MERGE_DUPLICATES = Kind(
        4009,
        "a merge has several new rows for one key",
        "Which of them should win is not defined. Make the model's rows unique by unique_key.",
        ExitCode.RUN_FAILED,
    )
    DBT_PACKAGES_MISSING = Kind(
        4010,
        "dbt packages are missing",
        "packages.yml names packages that dbt_packages/ does not hold. floe runs `dbt deps` for them, which needs a "
        "network; packages that are checked in need none.",
    )
    # 5xxx: Dagster and runs
    DEFINITIONS_FAILED = Kind(
        5001,
        "Dagster cannot load the project's definitions",
        "The code server raised an error while importing the project; the message is Dagster's own.",
        ExitCode.SERVICE_FAILED,
    )
    RUN_NOT_STARTED = Kind(
        5002,
        "the run could not be started",
        "The selection names no asset, or Dagster refused the run. A selection is an asset's key (gold/metrics) or "
        "Dagster's asset selection syntax.",
        ExitCode.USAGE,
    )
    DAGSTER_UNREACHABLE = Kind(
        5003,
        "Dagster does not answer",
        "The web server did not answer, or answered with an error. `floe status` shows whether it runs.",
        ExitCode.SERVICE_FAILED,
    )
    RUN_FAILED = Kind(
        5004,
        "a run failed",
        "At least one asset or check failed. Assets that do not depend on a failed one were materialized; tables of "
        "failed ones are as they were before.",
        ExitCode.RUN_FAILED,
    )
    RUN_CANCELED = Kind(
        5005,
        "a run was canceled",
        "It was told to end before it was through. What it had committed stays; tables that it was at are as they were "
        "before.",
        ExitCode.RUN_FAILED,
    )
    NO_SUCH_PARTITION = Kind(
        5101, "no such partition", "The partitions definition in floe.yaml does not have this key.", ExitCode.USAGE
    )
    # 6xxx: SQL and tables
    SQL_FAILED = Kind(
        6001,
        "DuckDB refused the statement",
        "The message is DuckDB's own. Tables are found as namespace.table (`floe tables` lists them); "
        "the statement runs with the rights of the principal chosen, and the reader principal cannot write.",
    )
    NO_SUCH_TABLE = Kind(
        6002, "no such table", "The catalog has no table of that name, or the principal may not see it."
    )
    NO_SUCH_SNAPSHOT = Kind(
        6003,
        "no such snapshot",
        "A snapshot is named by its id, by its number in `floe tables show` (1 is the first), or as `current`, "
        "`previous` or `first`. Expired snapshots are gone.",
    )
    EXTENSION_MISSING = Kind(
        6004,
        "a DuckDB extension is not installed",
        "floe loads DuckDB's iceberg, avro and httpfs extensions from Python wheels of DuckDB's own version.",
        ExitCode.MACHINE,
    )
    # 7xxx: traces and lineage
    NO_SUCH_TRACE = Kind(
        7101,
        "no such trace",
        "No trace begins with the id given. Traces are kept for two weeks, and while the store is below its size; "
        "`floe traces` lists them.",
    )
    TRACE_AMBIGUOUS = Kind(
        7102,
        "the id does not name one trace",
        "A trace id has 32 hexadecimal digits; its beginning is enough as long as one trace alone begins so.",
        ExitCode.USAGE,
    )
    TELEMETRY_UNREADABLE = Kind(
        7103,
        "the telemetry store cannot be read",
        "Traces, logs and lineage are in .floe/telemetry/telemetry.db. A damaged file is put aside when the service "
        "`telemetry` starts; what it held is then missing from the lists, and nothing else.",
    )
    NO_SUCH_ROW = Kind(
        7104,
        "no row, or several rows, have the key",
        "`floe blame` follows one row through the table's snapshots. Give the values of columns that together name one "
        "row, such as --key id=42.",
        ExitCode.USAGE,
    )
    NO_LINEAGE = Kind(
        7105,
        "nothing is known of the dataset",
        "Lineage comes from the runs that were made and, while the stack runs, from Dagster's assets.",
    )
    BUDGET_EXCEEDED = Kind(
        7106,
        "the start took longer than its budget",
        "A start that was given a budget fails where the stack needed more time; the slowest path through the start is "
        "named, and `floe traces` keeps the whole start.",
        ExitCode.TIMEOUT,
    )
    # 72xx: failure capsules
    CAPSULE_UNREADABLE = Kind(
        7201,
        "the file is no capsule, or is damaged",
        "A capsule is the zip file that `floe capsule create` writes, and that a failed test, run or start leaves. A "
        "download that was cut short is refused as a whole.",
        ExitCode.USAGE,
    )
    CAPSULE_VERSION = Kind(
        7202,
        "the capsule is of a newer version",
        "A newer floe wrote the capsule, in a form that this one does not know.",
        ExitCode.USAGE,
    )
    CAPSULE_TOO_LARGE = Kind(
        7203,
        "the capsule would unpack to more than is sane",
        "floe writes capsules of a bounded size. A file that says little and unpacks to gigabytes is refused before "
        "anything of it is written.",
        ExitCode.USAGE,
    )
    CAPSULE_ONLY_READS = Kind(
        7204,
        "a capsule only shows what was",
        "Nothing of it runs: there is no catalog to query and no Dagster to start a run with.",
        ExitCode.USAGE,
    )
    # 81xx: the dashboard
    DASHBOARD_READ_ONLY = Kind(
        8101,
        "the dashboard only reads",
        "It was started with --read-only, so it starts, stops and changes nothing. Open it without that option.",
    )
    DASHBOARD_NO_TERMINAL = Kind(
        8102,
        "the dashboard needs a terminal",
        "Standard input and output have to be a terminal. `floe status` prints the services without one.",
        ExitCode.USAGE,
    )
    DASHBOARD_KEYS = Kind(
        8103,
        "the dashboard's settings are wrong",
        "dashboard.yaml in the folder `floe` of the user's configuration holds `theme`, `notify` and `keys`; keys maps "
        "an action to other keys, such as `help: f1`.",
        ExitCode.CONFIG,
    )
    DASHBOARD_PORT = Kind(
        8104,
        "the dashboard's web page cannot listen",
        "The port of `--port` is taken, or not allowed to you. Without `--port` a free one is taken.",
    )
    # 9xxx: the machine
    DISK_FULL = Kind(9101, "no space left", "The file system is full, or a quota is used up.", ExitCode.MACHINE)
    READ_ONLY = Kind(
        9102,
        "the file system is read-only",
        "floe keeps its state in .floe/ inside the project, so the project must be on a writable file system.",
        ExitCode.MACHINE,
    )
    NO_PERMISSION = Kind(
        9103,
        "no permission for a file or folder",
        "floe writes only inside the project's .floe/ folder, with the rights of the user who started it.",
        ExitCode.MACHINE,
    )
    INSTALLATION = Kind(
        9104,
        "Python or a package is too old",
        "A package that floe needs is missing, or is there in a version that floe does not work with; or Python itself "
        "is not one of the versions that floe supports. `floe doctor` lists what does not fit.",
        ExitCode.MACHINE,
    )
    IN_THE_WAY = Kind(
        9105,
        "something else is in the place of a file or folder",
        "floe writes files and folders of fixed names inside the project's .floe/ folder. What has such a name and is "
        "of another kind was not made by floe; move it away.",
        ExitCode.MACHINE,
    )
    INTERNAL = Kind(9999, "a defect in floe", "This should not happen; please report it with the log file named.")

    @property
    def kind(self) -> Kind:
        """The kind behind this code."""
        return self.value

    @property
    def id(self) -> str:
        """The printed form, such as FLOE1203."""
        return f"FLOE{self.value.number}"

    @classmethod
    def parse(cls, text: str) -> Code:
        """The code named by `FLOE1203` or `1203`, whatever its case; ValueError if there is none."""
        digits = text.strip().upper().removeprefix("FLOE")
        for code in cls:
            if str(code.value.number) == digits:
                return code
        raise ValueError(text)


@dataclass(frozen=True)
class Where:
    """The place of an error: a file, and inside it line, column (both from 1) and key path, as far as known."""

    file: Path | str
    line: int | None = None
    column: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        place = str(self.file)
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        return f"{place} ({self.key})" if self.key else place


class FloeError(Exception):
    """An error told to the user: what is wrong, where, why, and the one command or edit that mends it."""

    def __init__(
        self,
        code: Code,
        what: str,
        *,
        why: str | None = None,
        fix: str | None = None,
        where: Where | None = None,
        detail: tuple[str, ...] = (),
    ) -> None:
        """Keep the parts; `detail` holds further lines such as the last lines of a log."""
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.fix = fix
        self.where = where
        self.detail = detail

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a process that ends with this error."""
        return self.code.kind.exit_code

    def __str__(self) -> str:
        lines = [f"{self.code.id}: {self.what}"]
        if self.where is not None:
            lines.append(f"  at: {self.where}")
        if self.why:
            lines.append(f"  why: {self.why}")
        lines.extend(f"  | {line}" for line in self.detail)
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form; `from_json` reads it back (the supervisor sends errors over its socket)."""
        where = self.where
        return {
            "code": self.code.id,
            "what": self.what,
            "why": self.why,
            "fix": self.fix,
            "where": None
            if where is None
            else {"file": str(where.file), "line": where.line, "column": where.column, "key": where.key},
            "detail": list(self.detail),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FloeError:
        """The error that `to_json` wrote; one with a code of another version keeps its words, as FLOE9999."""
        where = data.get("where")
        try:
            code = Code.parse(data["code"])
        except ValueError:
            code = Code.INTERNAL
        return cls(
            code,
            data["what"],
            why=data.get("why"),
            fix=data.get("fix"),
            where=Where(**where) if where else None,
            detail=tuple(data.get("detail") or ()),
        )
