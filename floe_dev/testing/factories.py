"""Makers of fixtures: `shop = factories.lakehouse(scope="module")`, and on it `shop_dbt = factories.dbt("shop")`.

The plugin's own fixtures are made here too. A fixture is made by calling a factory at the top of a test module or
conftest.py; the name it is bound to is the fixture's name. `scope` is pytest's: function, class, module, package or
session. Every heavy import is inside a fixture.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

from floe_dev.testing.pool import Pool

if TYPE_CHECKING:
    from floe_dev.testing.aio import Async
    from floe_dev.testing.dagster import Materializer
    from floe_dev.testing.dbt import DbtRunner
    from floe_dev.testing.lakehouse import Isolation, Lakehouse
    from floe_dev.testing.stack import TestStack

Scope = Literal["session", "package", "module", "class", "function"]

ISOLATIONS = ("catalog", "namespace", "stack")
POOL = pytest.StashKey[Pool]()
#: Whether the test failed, at its setup or in itself.
FAILED = pytest.StashKey[bool]()
#: The lakehouses that the item's fixtures gave out, for its capsule.
USED = pytest.StashKey[list[Any]]()
#: On what a `@floe_template` fixture gives: tells it from other fixtures.
MARK = "_floe_template"
_MARKED = ("isolation", "stack", "template")


def stack(name: str | None = None) -> Any:
    """A session's fixture of the running stack `name` (default: --floe-stack): `url`, `root`, `admin`."""

    @pytest.fixture(scope="session")
    def made(request: pytest.FixtureRequest) -> TestStack:
        """The session's stack: `url`, `root` (the root principal's connection). Shared by all xdist workers."""
        return request.config.stash[POOL].stack(name)

    return made


def lakehouse(
    scope: Scope = "function",
    *,
    isolation: Isolation | None = None,
    stack: str | None = None,
    template: str | None = None,
) -> Any:
    """A fixture of a `Lakehouse`, dropped at the end of its scope.

    What is None comes from the marker `floe` (of the test, class or module that the scope is), then from the ini
    options. `template` is the name of a `@floe_template` fixture, whose tables the lakehouse begins with.
    """

    @pytest.fixture(scope=scope)
    def made(request: pytest.FixtureRequest) -> Iterator[Lakehouse]:
        """This test's own lakehouse, dropped after it: `connection`, `namespace`, `table(name)`, `environment()`."""
        wanted = _marked(request.node) | {
            key: value for key, value in (("isolation", isolation), ("stack", stack), ("template", template)) if value
        }
        with open_lakehouse(request, **wanted) as own:
            yield own

    return made


@contextlib.contextmanager
def open_lakehouse(
    request: pytest.FixtureRequest,
    label: str | None = None,
    isolation: str | None = None,
    stack: str | None = None,
    template: str | None = None,
) -> Iterator[Lakehouse]:
    """A lakehouse for the block, in a test or a fixture of any scope; UsageError for an isolation that is none."""
    from floe_dev.testing.provisioning import create_lakehouse

    pool = request.config.stash[POOL]
    isolation = isolation or pool.settings.isolation
    if isolation not in ISOLATIONS:
        raise pytest.UsageError(
            f"@pytest.mark.floe(isolation={isolation!r}): isolation is one of {', '.join(ISOLATIONS)}"
        )
    name = label or request.node.name or request.config.rootpath.name
    request.node.stash[FAILED] = False
    creator = os.getpid()
    with contextlib.ExitStack() as opened:
        running = (
            opened.enter_context(pool.own(stack, f"own-{os.getpid()}-{os.urandom(3).hex()}"))
            if isolation == "stack"
            else pool.stack(stack)
        )
        own = create_lakehouse(running, name, cast("Isolation", isolation))
        used = request.node.stash.setdefault(USED, [])
        used.append(own)
        try:
            if template is not None:
                _template(request, template)(own)
            yield own
        finally:
            used.remove(own)
            # A test that forks and comes back twice must not drop what the first one still uses.
            if creator == os.getpid():
                if pool.settings.keep and request.node.stash.get(FAILED, False):
                    own.close()
                else:
                    own.drop()


def template(build: Callable[..., object]) -> Any:
    """The fixture behind `@floe_template` (see `floe_template`)."""

    @pytest.fixture(scope="session", name=build.__name__)
    def made() -> Callable[[Lakehouse], None]:
        from floe_dev.testing.templates import prepared

        identity = f"{build.__module__}.{build.__qualname__}"

        def fill(own: Lakehouse) -> None:
            if own.stack.storage.base is not None and not own.stack.admin.is_floes:
                # Polaris vends keys for one table's folder: a copy could not read the original's files.
                _call(build, own)
                return
            found = prepared(own.stack, build.__name__, lambda first: _call(build, first), identity)
            found.copy_into(own)

        setattr(fill, MARK, True)
        return fill

    made.__doc__ = build.__doc__
    return made


def iceberg_catalog(lakehouse: str = "lakehouse", scope: Scope = "function") -> Any:
    """A fixture of PyIceberg's catalog on the fixture `lakehouse`."""

    @pytest.fixture(scope=scope)
    def made(request: pytest.FixtureRequest) -> Any:
        """PyIceberg's `RestCatalog` as the lakehouse's principal."""
        return _lakehouse(request, lakehouse).iceberg()

    return made


def duckdb_conn(lakehouse: str = "lakehouse", scope: Scope = "function") -> Any:
    """A fixture of a DuckDB connection with the fixture `lakehouse` attached."""

    @pytest.fixture(scope=scope)
    def made(request: pytest.FixtureRequest) -> Any:
        """DuckDB with the lakehouse attached; `orders` is the table of the lakehouse's namespace."""
        return _lakehouse(request, lakehouse).duckdb()

    return made


def dbt(lakehouse: str = "lakehouse", scope: Scope = "function") -> Any:
    """A fixture that runs dbt into the fixture `lakehouse`."""

    @pytest.fixture(scope=scope)
    def made(request: pytest.FixtureRequest) -> DbtRunner:
        """Run dbt into the lakehouse: `dbt({"orders": "select 1 as id"})` or `dbt("path/to/project", "run")`."""
        from floe_dev.testing.dbt import DbtRunner

        return DbtRunner(_lakehouse(request, lakehouse))

    return made


def dagster_instance(scope: Scope = "function") -> Any:
    """A fixture of a Dagster instance with a storage of its own."""

    @pytest.fixture(scope=scope)
    def made() -> Iterator[Any]:
        """A real `DagsterInstance` with a storage of its own, gone after the test."""
        from floe_dev.testing.dagster import temporary_instance

        with temporary_instance() as instance:
            yield instance

    return made


def materialize(
    lakehouse: str = "lakehouse", dagster_instance: str = "dagster_instance", scope: Scope = "function"
) -> Any:
    """A fixture that materializes assets into the fixture `lakehouse`."""

    @pytest.fixture(scope=scope)
    def made(request: pytest.FixtureRequest) -> Materializer:
        """Materialize assets into the lakehouse: `materialize([orders])`, `materialize(defs, selection="+totals")`."""
        from floe_dev.testing.dagster import Materializer

        return Materializer(_lakehouse(request, lakehouse), request.getfixturevalue(dagster_instance))

    return made


def spark(lakehouse: str = "lakehouse", scope: Scope = "function") -> Any:
    """A fixture of a Spark session on the fixture `lakehouse`; skips without PySpark or Java."""

    @pytest.fixture(scope=scope)
    def made(request: pytest.FixtureRequest) -> Iterator[Any]:
        """A `SparkSession` whose default catalog is the lakehouse; skipped where PySpark or Java is not installed."""
        from floe_dev.testing.spark import session_of

        with session_of(_lakehouse(request, lakehouse)) as session:
            yield session

    return made


def asynchronous(fixture: str, scope: Scope = "function") -> Any:
    """A fixture of what the fixture `fixture` gives, with methods to await; works with asyncio and trio."""

    @pytest.fixture(scope=scope)
    def made(request: pytest.FixtureRequest) -> Async:
        """What the fixture of that name without `async_` gives; its methods are to be awaited."""
        from floe_dev.testing.aio import Async

        return Async(request.getfixturevalue(fixture))

    return made


def _lakehouse(request: pytest.FixtureRequest, name: str) -> Lakehouse:
    return cast("Lakehouse", request.getfixturevalue(name))


def _template(request: pytest.FixtureRequest, name: str) -> Callable[[Lakehouse], None]:
    try:
        found = request.getfixturevalue(name)
    except pytest.FixtureLookupError as error:
        raise pytest.UsageError(
            f"template={name!r}: there is no `@floe_template` function of that name in reach of {request.node.nodeid}"
        ) from error
    if not getattr(found, MARK, False):
        raise pytest.UsageError(f"template={name!r}: the fixture `{name}` is not made by `@floe_template`")
    return cast("Callable[[Lakehouse], None]", found)


def _call(build: Callable[..., object], own: Lakehouse) -> object:
    """Call a template's function with what its parameters name."""
    import inspect

    from floe_dev.testing.dbt import DbtRunner

    offered: dict[str, Callable[[], Any]] = {
        "lakehouse": lambda: own,
        "dbt": lambda: DbtRunner(own),
        "iceberg_catalog": own.iceberg,
        "duckdb_conn": own.duckdb,
    }
    wanted = list(inspect.signature(build).parameters)
    if unknown := [name for name in wanted if name not in offered]:
        raise pytest.UsageError(
            f"the template `{build.__name__}` asks for `{unknown[0]}`: a template is built once for all processes, so "
            f"it may ask for {', '.join(offered)} only"
        )
    return build(**{name: offered[name]() for name in wanted})


def _marked(node: Any) -> dict[str, str]:
    """What the closest marker `floe` says; UsageError for a word it does not know."""
    told: dict[str, str] = {}
    markers = list(node.iter_markers("floe")) if hasattr(node, "iter_markers") else []
    for marker in reversed(markers):
        if marker.args or (unknown := sorted(set(marker.kwargs) - set(_MARKED))):
            wrong = f"{marker.args[0]!r}" if marker.args else f"{unknown[0]}="
            raise pytest.UsageError(f"@pytest.mark.floe({wrong}): it takes {', '.join(f'{key}=' for key in _MARKED)}")
        told |= marker.kwargs
    return told
