"""One receiver for a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.telemetry.receiver import RunningReceiver, receiver


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    with receiver(tmp_path_factory.mktemp("project")) as started:
        yield started
