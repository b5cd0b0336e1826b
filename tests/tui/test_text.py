"""Times as the dashboard words them."""

from __future__ import annotations

import pytest

from floe_dev.tui.text import age, ago, until

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("seconds", "told", "with_ago"),
    [
        (-60, "soon", "soon"),
        (0, "now", "now"),
        (12, "12 s", "12 s ago"),
        (300, "5 min", "5 min ago"),
        (7200, "2 h", "2 h ago"),
        (172_800, "2 d", "2 d ago"),
    ],
)
def test_what_was(seconds: float, told: str, with_ago: str) -> None:
    assert age(NOW - seconds, NOW) == told
    assert ago(NOW - seconds, NOW) == with_ago


@pytest.mark.parametrize(("seconds", "told"), [(-60, "now"), (0, "now"), (12, "in 12 s"), (7200, "in 2 h")])
def test_what_comes(seconds: float, told: str) -> None:
    """A tick that is due is `now`, also where Dagster has not begun with it."""
    assert until(NOW + seconds, NOW) == told


def test_nothing_is_told_of_what_is_not_known() -> None:
    assert (age(None), ago(None), until(None)) == ("", "", "")
