"""What every orchestrator has to hold to."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from floe_dev.compile.artifacts import compile_project, write_artifacts
from floe_dev.config.artifacts import read_artifacts
from floe_dev.config.plugins import load, require_modules
from floe_dev.config.project import load_project
from floe_dev.errors import Code, FloeError
from floe_dev.orchestrators.base import Orchestrator
from floe_dev.orchestrators.task import COMMAND_VARIABLE

_FLOE = """\
name: contract_pipeline
version: "1"
orchestration:
  asset_modules: [contract_assets]
  jobs: {half: {select: 'key:"s/d" or key:"s/b"'}}
  schedules: {nightly: {job: half, cron: "0 3 * * *"}}
"""
_PLATFORM = """\
catalogs: {default: {type: polaris, uri: "http://127.0.0.1:1/api/catalog", warehouse: w}}
"""
#: A diamond: `b` and `c` need `a`, `d` needs both; `d` fails while there is a file FAIL.
_ASSETS = """\
from pathlib import Path
import dagster as dg

HERE = Path(__file__).parent

def note(context):
    name = "/".join(context.asset_key.path)
    if name == "s/d" and (HERE / "FAIL").exists():
        raise RuntimeError("it was to fail")
    with (HERE / "made").open("a") as file:
        file.write(name + "\\n")

def made(name, *needs):
    @dg.asset(key=["s", name], deps=[dg.AssetKey(["s", need]) for need in needs], io_manager_def=dg.mem_io_manager)
    def each(context: dg.AssetExecutionContext) -> None:
        note(context)
    return each

a, b, c, d = made("a"), made("b", "a"), made("c", "a"), made("d", "b", "c")
"""
_EDGES = {("s/a", "s/b"), ("s/a", "s/c"), ("s/b", "s/d"), ("s/c", "s/d")}


class OrchestratorContract:
    """Fixture to give: `orchestrator`. What it needs and is not installed here is a reason to skip."""

    @pytest.fixture
    def orchestrator(self) -> Orchestrator:
        """The orchestrator under test."""
        raise NotImplementedError

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """A project of four assets."""
        (tmp_path / "floe.yaml").write_text(_FLOE, "utf-8")
        (tmp_path / "platform.yaml").write_text(_PLATFORM, "utf-8")
        (tmp_path / "contract_assets.py").write_text(_ASSETS, "utf-8")
        return tmp_path

    @pytest.fixture
    def artifacts(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The project, compiled; its module is imported anew for each test."""
        monkeypatch.setattr(sys, "path", [str(root), *sys.path])
        monkeypatch.delitem(sys.modules, "contract_assets", raising=False)
        # What is compiled here is made by this interpreter, whatever the orchestrator's own is.
        words = [sys.executable, "-m", "floe_dev.orchestrators.task"]
        monkeypatch.setenv(COMMAND_VARIABLE, shlex.join(words))
        file = root / "artifacts.json"
        write_artifacts(compile_project(load_project(root, {})), file)
        monkeypatch.delitem(sys.modules, "contract_assets", raising=False)
        return file

    @pytest.fixture
    def built(self, orchestrator: Orchestrator, artifacts: Path) -> Any:
        """What it makes of the project."""
        try:
            require_modules("orchestrators", orchestrator.name, orchestrator.modules, orchestrator.extra)
        except FloeError as missing:
            pytest.skip(f"{missing.why}: {missing.fix}")
        return orchestrator.build(artifacts)

    def made(self, root: Path) -> list[str]:
        """The assets that were made, in order."""
        file = root / "made"
        return file.read_text("utf-8").split() if file.exists() else []

    def test_it_is_found_by_its_name(self, orchestrator: Orchestrator) -> None:
        """Under the name it is registered by."""
        assert load("orchestrators", orchestrator.name) is orchestrator

    def test_where_it_is_not_installed_it_says_so(self, orchestrator: Orchestrator, artifacts: Path) -> None:
        """With the one command that mends it; nothing else is tried."""
        try:
            require_modules("orchestrators", orchestrator.name, orchestrator.modules, orchestrator.extra)
        except FloeError:
            with pytest.raises(FloeError) as told:
                orchestrator.build(artifacts)
            assert told.value.code is Code.NO_SUCH_PLUGIN
            assert orchestrator.extra in str(told.value.fix)

    def test_the_graph_is_the_compiled_one(self, orchestrator: Orchestrator, built: Any, artifacts: Path) -> None:
        """Edge by edge."""
        compiled = {(up, node.key) for node in read_artifacts(artifacts).assets for up in node.depends_on}
        assert orchestrator.edges(built) == compiled == _EDGES

    def test_everything_is_made_once_after_what_it_needs(
        self, orchestrator: Orchestrator, built: Any, root: Path
    ) -> None:
        """In one run."""
        orchestrator.run(built)
        made = self.made(root)
        assert sorted(made) == ["s/a", "s/b", "s/c", "s/d"]
        assert all(made.index(up) < made.index(key) for up, key in _EDGES)

    def test_only_what_is_asked_for_is_made(self, orchestrator: Orchestrator, built: Any, root: Path) -> None:
        """By key, without what it needs."""
        orchestrator.run(built, ["s/c"])
        assert self.made(root) == ["s/c"]

    def test_a_failure_is_raised_and_what_came_before_stays(
        self, orchestrator: Orchestrator, built: Any, root: Path
    ) -> None:
        """Nobody has to look into a log to learn that a run failed."""
        (root / "FAIL").touch()
        with pytest.raises(Exception):  # noqa: B017 - each orchestrator has its own
            orchestrator.run(built, ["s/c", "s/d"])
        assert self.made(root) == ["s/c"]
