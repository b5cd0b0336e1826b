"""The pytest plugin: fixtures, the `floe` marker and the options. Every heavy import is inside a fixture."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from floe_dev.testing import factories
from floe_dev.testing.factories import FAILED, POOL, USED
from floe_dev.testing.pool import EMBEDDED, Pool, Settings

if TYPE_CHECKING:
    from floe_dev.testing.lakehouse import Isolation, Lakehouse

_CAPSULES_AT_MOST = 20
_MADE = pytest.StashKey[int]()
#: A test that has one of these fixtures needs the session's stack.
_NAMES = frozenset(("floe", "lakehouse", "lakehouse_factory"))

floe = factories.stack()
lakehouse = factories.lakehouse()
iceberg_catalog = factories.iceberg_catalog()
duckdb_conn = factories.duckdb_conn()
dbt = factories.dbt()
dagster_instance = factories.dagster_instance()
materialize = factories.materialize()
spark = factories.spark()
async_lakehouse = factories.asynchronous("lakehouse")
async_iceberg_catalog = factories.asynchronous("iceberg_catalog")
async_duckdb_conn = factories.asynchronous("duckdb_conn")
async_dbt = factories.asynchronous("dbt")
async_materialize = factories.asynchronous("materialize")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The plugin's options; UsageError where a second copy of the plugin has added them."""
    group = parser.getgroup("floe", "a lakehouse in every test")
    try:
        _add_options(group, parser)
    except ValueError as error:
        raise pytest.UsageError(
            f"two copies of floe_dev's pytest plugin are loaded, this one from {Path(__file__).parent}: {error}. "
            "Uninstall one: pip list | grep -i floe"
        ) from None


def _add_options(group: Any, parser: pytest.Parser) -> None:
    group.addoption(
        "--floe-stack",
        metavar="NAME",
        help=f"the stack of tests that name none: {EMBEDDED} (default), lakehouse-lite, …",
    )
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
    group.addoption(
        "--floe-strict",
        action="store_true",
        help="fail a test whose stack needs an engine or an image that is not here, instead of skipping it",
    )
    group.addoption(
        "--floe-capsule",
        metavar="DIR",
        help="where failed tests leave their capsules (default: the run's temporary folder); `no` for none",
    )
    parser.addini("floe_stack", "the stack of tests that name none", default=EMBEDDED)
    parser.addini("floe_isolation", "what `lakehouse` is in tests that do not say: catalog, namespace or stack")
    parser.addini("floe_strict", "as --floe-strict", type="bool", default=False)  # type: ignore[maybe-unrecognized-str-typeform] # pytest's own form
    parser.addini("floe_capsule", "as --floe-capsule", default="")
    parser.addini("floe_capsule_mb", "megabytes of a capsule at most", default="20")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        'floe(isolation="catalog", stack="embedded", template="name"): what `lakehouse` gives the test: its own '
        '"catalog", "namespace" or "stack", of which stack, and the template whose tables it begins with',
    )
    config.stash[POOL] = Pool(partial(_folder, config), _settings(config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let go of the session's stacks; the last process that does ends them."""
    pool = config.stash.get(POOL, None)
    if pool is not None:
        pool.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """With --forked, open the stack before the fork: each child's would end with its test."""
    if item.config.getoption("forked", default=False) and _NAMES.intersection(getattr(item, "fixturenames", ())):
        with contextlib.suppress(Exception, pytest.skip.Exception, pytest.fail.Exception):
            # What goes wrong is told by the test itself.
            item.config.stash[POOL].stack()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure; add to its report the capsule and, with --floe-keep, how to look at the lakehouse."""
    report = yield
    if report.failed:
        _note_failure(item, report)
    return report


def _note_failure(item: pytest.Item, report: pytest.TestReport) -> None:
    pool = item.config.stash[POOL]
    settings = pool.settings
    found: list[Lakehouse] = []
    for node in item.listchain():
        node.stash[FAILED] = True
        if USED in node.stash:
            used = node.stash[USED]
            found += used
    if not found or report.when == "teardown":
        return
    made = item.config.stash.get(_MADE, 0)
    if settings.make_capsules and made < _CAPSULES_AT_MOST:
        item.config.stash[_MADE] = made + 1
        from floe_dev.testing.evidence import test_capsule

        folder = settings.capsules or pool.folder / "capsules"
        text = test_capsule(folder, settings.capsule_bytes, item.nodeid, str(report.longrepr), found)
        report.sections.append(("floe: what happened", text))
    if settings.keep and report.when == "call":
        report.sections.append(("floe: the lakehouse was kept", "\n".join(own.keep() for own in found)))


def _folder(config: pytest.Config) -> Path:
    """The folder that all processes of this run have in common, inside the run's temporary folder."""
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is None:  # -p no:tmpdir
        import tempfile

        return Path(tempfile.mkdtemp(prefix="floe-tests-")) / "floe"
    base: Path = factory.getbasetemp()
    # A worker's folder is inside the run's.
    return (base.parent if hasattr(config, "workerinput") else base) / "floe"


def _settings(config: pytest.Config) -> Settings:
    given = config.getoption("--floe-capsule") or os.environ.get("FLOE_CAPSULE_DIR") or config.getini("floe_capsule")
    capsules: Path | None = Path(str(given)) if given else None
    if capsules is not None and not capsules.is_absolute():
        capsules = config.rootpath / capsules
    megabytes = str(config.getini("floe_capsule_mb"))
    if not megabytes.isdigit() or not int(megabytes):
        raise pytest.UsageError(f"floe_capsule_mb = {megabytes}: a whole number of megabytes, such as 20")
    return Settings(
        stack=str(config.getoption("--floe-stack") or config.getini("floe_stack")),
        isolation=str(config.getini("floe_isolation") or "catalog"),
        url=config.getoption("--floe-url"),
        keep=bool(config.getoption("--floe-keep")),
        strict=bool(config.getoption("--floe-strict") or config.getini("floe_strict")),
        capsules=capsules,
        make_capsules=given != "no",
        capsule_bytes=int(megabytes) * 1_000_000,
    )


@pytest.fixture(scope="session")
def lakehouse_factory(
    request: pytest.FixtureRequest,
) -> Callable[..., contextlib.AbstractContextManager[Lakehouse]]:
    """Make lakehouses in a test or a fixture.

    Use it as `with lakehouse_factory("name", isolation="catalog") as lakehouse: …`.
    """

    @contextlib.contextmanager
    def make(
        label: str = "shared",
        isolation: Isolation = "catalog",
        *,
        stack: str | None = None,
        template: str | None = None,
    ) -> Iterator[Lakehouse]:
        with factories.open_lakehouse(request, label, isolation, stack, template) as own:
            yield own

    return make
