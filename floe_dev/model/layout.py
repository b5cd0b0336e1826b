"""Where a project keeps what: the one place that knows the names inside `.floe/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: What makes a folder a project: the contract, or a dbt project that knows nothing of floe.
FLOE_FILE, DBT_FILE = "floe.yaml", "dbt_project.yml"


def is_project(folder: Path) -> bool:
    """Whether `floe up` can run what is in this folder."""
    return any((folder / name).is_file() for name in (FLOE_FILE, DBT_FILE))


def nearest_project(start: Path) -> Path | None:
    """The first folder with a floe.yaml from `start` upwards, else the first with a dbt_project.yml."""
    here = start.absolute()
    for name in (FLOE_FILE, DBT_FILE):
        for folder in (here, *here.parents):
            if (folder / name).is_file():
                return folder
    return None


@dataclass(frozen=True)
class Layout:
    """The paths of one project; everything floe writes is below `root/.floe`."""

    root: Path

    @property
    def state_dir(self) -> Path:
        """Everything floe writes; carries its own .gitignore; `floe reset` empties it."""
        return self.root / ".floe"

    @property
    def platform_choice(self) -> Path:
        """The platform that `floe up --platform NAME` chose; not there for `local`."""
        return self.state_dir / "platform-name"

    @property
    def writes_allowed(self) -> Path:
        """There once somebody allowed runs from this machine to write into a platform that is not local."""
        return self.state_dir / "writes-allowed"

    @property
    def state_file(self) -> Path:
        """What the supervisor knows: stack, ports, versions, pids (0600)."""
        return self.state_dir / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held (flock) by the supervisor for its whole life: one per project."""
        return self.state_dir / "supervisor.lock"

    @property
    def secrets_file(self) -> Path:
        """Generated credentials (0600, JSON)."""
        return self.state_dir / "secrets.json"

    @property
    def logs_dir(self) -> Path:
        """One `<service>.log` each."""
        return self.state_dir / "logs"

    @property
    def catalog_dir(self) -> Path:
        """The embedded catalog's SQLite database."""
        return self.state_dir / "catalog"

    @property
    def warehouse_dir(self) -> Path:
        """The embedded stack's data files."""
        return self.state_dir / "warehouse"

    @property
    def dagster_home(self) -> Path:
        """DAGSTER_HOME: dagster.yaml, workspace.yaml, run and event storage."""
        return self.state_dir / "dagster"

    @property
    def dbt_dir(self) -> Path:
        """Generated profiles.yml, dbt's target and logs."""
        return self.state_dir / "dbt"

    @property
    def telemetry_dir(self) -> Path:
        """The store of traces, logs and lineage, and the spool its receiver collects."""
        return self.state_dir / "telemetry"

    @property
    def overlay_file(self) -> Path:
        """Observed endpoints laid over the user's platform.yaml (a replaced port)."""
        return self.state_dir / "platform.yaml"

    def environment(self) -> dict[str, str]:
        """The variables that tell dbt, Dagster and floe itself where this project keeps what."""
        return {
            "FLOE_PROJECT_DIR": str(self.root),
            "DAGSTER_HOME": str(self.dagster_home),
            "DBT_PROFILES_DIR": str(self.dbt_dir),
            "DBT_TARGET_PATH": str(self.dbt_dir / "target"),
            "DBT_LOG_PATH": str(self.dbt_dir / "logs"),
        }
