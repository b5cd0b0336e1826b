"""Times on the command line."""

from __future__ import annotations

import click
import pytest

from floe_dev.cli.durations import Duration
from floe_dev.cli.render.status import status_text


@pytest.mark.parametrize(
    ("text", "unit", "seconds"),
    [
        ("30s", "s", 30),
        ("30", "s", 30),
        ("500ms", "s", 0.5),
        ("1.5m", "s", 90),
        ("2H", "s", 7200),
        ("10", "m", 600),
        ("1d", "m", 86_400),
        (" 5 min ", "s", 300),
        ("0", "s", 0),
    ],
)
def test_a_time_with_or_without_a_unit(text: str, unit: str, seconds: float) -> None:
    assert Duration(unit).convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1w", "1h30", "nan", "1e3", "9" * 400])
def test_what_is_no_time_is_told_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match="500ms, 30s"):
        Duration().convert(text, None, None)


def test_a_clock_that_was_set_back_shows_no_duration_below_zero() -> None:
    """`floe status` said that a service was up for `-3600000000 µs`."""
    started = 1_000_000.0
    status = {
        "project": "/p",
        "stack": "embedded",
        "ready": True,
        "started_at": started,
        "services": [{"name": "catalog", "state": "ready", "ready_at": started}],
    }
    text = status_text(status, color=False, unicode=True, width=80, now=started - 3600)
    assert "-" not in text
    assert ", for" not in text
    assert ", for 1 h 00 m" in status_text(status, color=False, unicode=True, width=80, now=started + 3600)
