"""For every test: projects without a stack get the embedded one, whatever engine and images this machine has.

And for runs on several workers: which modules share a worker because they share something dear, and who goes first.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("FLOE_STACK", "embedded")

TESTS = Path(__file__).parent
#: Modules that one worker does one after another, in this order: what they share is made once, not once a worker.
TOGETHER = {
    # An environment with the wheel; the second one adds to it what tests need.
    "packaging": ("packaging/test_wheel.py", "packaging/test_example.py"),
    # A stack of the sample project.
    "dagster": (
        "dagster/test_stack.py",
        "dagster/test_validate.py",
        "dagster/test_platform_blocks.py",
        "dagster/test_partitions.py",
    ),
}
#: What takes a minute and more, the longest first: begun last, it is what everybody waits for at the end.
LONGEST = (
    *TOGETHER["packaging"],
    *TOGETHER["dagster"],
    "tui/test_real_stack.py",
    "cli/test_up.py",
    "docker/test_spark.py",
    "docker/test_parity.py",
    "cli/test_plain_dbt.py",
    "cli/test_spark.py",
    "compile/test_artifacts.py",
)
_UNITS = {f"{TESTS.name}/{module}": name for name, modules in TOGETHER.items() for module in modules}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules first; the others stay in their order, and so do the tests of a module."""
    places = {TESTS / module: place for place, module in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Any:
    """`--dist loadfile`, but what is in TOGETHER is one unit of work, and units begin in the order of collection."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    # Its own order is by the number of tests, and our longest modules have one or three.
    config.option.loadscopereorder = False
    scheduling = LoadFileScheduling(config, log)
    module_of = scheduling._split_scope
    scheduling._split_scope = lambda test: _UNITS.get(module_of(test), module_of(test))
    return scheduling
