"""The pytest plugin: fixtures, the `floe` marker and the options. Every heavy import is inside a fixture."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyiceberg.catalog.rest import RestCatalog

    from floe_dev.testing.dbt import DbtRun
    from floe_dev.testing.lakehouse import Isolation, Lakehouse
    from floe_dev.testing.stack import TestStack

_FAILED = pytest.StashKey[bool]()
_ISOLATIONS = ("catalog", "namespace")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's options."""
    group = parser.getgroup("floe", "a lakehouse in every test")
    group.addoption(
        "--floe-keep",
        action="store_true",
        help="leave a failed test's lakehouse and the catalog up, and say how to look at it",
    )
    group.addoption(
        "--floe-url",
        metavar="URL",
        help="use the catalog at URL (http://127.0.0.1:8181) instead of starting one; its root credential is taken "
        "from FLOE_TEST_CLIENT_ID and FLOE_TEST_CLIENT_SECRET",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", 'floe(isolation="catalog"): what `lakehouse` gives the test: its own "catalog" or "namespace"'
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure and, with --floe-keep, add to its report how to look at the lakehouse."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
        if report.when == "call" and item.config.getoption("--floe-keep"):
            found = cast("dict[str, object]", getattr(item, "funcargs", {})).get("lakehouse")
            if found is not None:
                report.sections.append(("floe: the lakehouse was kept", cast("Lakehouse", found).keep()))
    return report


@pytest.fixture(scope="session")
def floe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestStack]:
    """The session's catalog: `url`, `root` (the root principal's connection). Shared by all xdist workers."""
    from floe_dev.testing.stack import foreign_stack, shared_stack

    base = tmp_path_factory.getbasetemp()
    # A worker's folder is inside the run's.
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "floe"
    url = request.config.getoption("--floe-url")
    with foreign_stack(url, folder) if url else shared_stack(folder) as stack:
        yield stack


@pytest.fixture
def lakehouse(request: pytest.FixtureRequest, floe: TestStack) -> Iterator[Lakehouse]:
    """This test's own lakehouse, dropped after it: `connection`, `namespace`, `table(name)`, `environment()`."""
    from floe_dev.testing.lakehouse import create_lakehouse

    own = create_lakehouse(floe, request.node.name, _isolation(request.node))
    try:
        yield own
    finally:
        if request.config.getoption("--floe-keep") and request.node.stash.get(_FAILED, False):
            own.close()
        else:
            own.drop()


@pytest.fixture(scope="session")
def lakehouse_factory(
    floe: TestStack,
) -> Callable[..., contextlib.AbstractContextManager[Lakehouse]]:
    """Make lakehouses for fixtures of another scope.

    Use it as `with lakehouse_factory("name", isolation="catalog") as lakehouse: yield lakehouse`.
    """
    from floe_dev.testing.lakehouse import create_lakehouse

    @contextlib.contextmanager
    def make(label: str = "shared", isolation: Isolation = "catalog") -> Iterator[Lakehouse]:
        own = create_lakehouse(floe, label, isolation)
        try:
            yield own
        finally:
            own.drop()

    return make


@pytest.fixture
def iceberg_catalog(lakehouse: Lakehouse) -> RestCatalog:
    """PyIceberg's catalog as the lakehouse's principal."""
    return lakehouse.iceberg()


@pytest.fixture
def duckdb_conn(lakehouse: Lakehouse) -> DuckDBPyConnection:
    """DuckDB with the lakehouse attached; `orders` is the table of the lakehouse's namespace."""
    return lakehouse.duckdb()


@pytest.fixture
def dbt(lakehouse: Lakehouse, tmp_path: Path) -> Callable[..., DbtRun]:
    """Run dbt into the lakehouse: `dbt({"orders": "select 1 as id"})` or `dbt("path/to/project", "run")`."""
    from floe_dev.testing.dbt import DbtRunner

    return DbtRunner(lakehouse, tmp_path / "floe-dbt")


def _isolation(node: pytest.Item) -> Isolation:
    marker = node.get_closest_marker("floe")
    wanted = marker.kwargs.get("isolation", "catalog") if marker else "catalog"
    if wanted not in _ISOLATIONS:
        raise pytest.UsageError(
            f"@pytest.mark.floe(isolation={wanted!r}): isolation is one of {', '.join(_ISOLATIONS)}"
        )
    return cast("Isolation", wanted)
