"""`meta.sla` as Dagster's freshness policy: how old a table may become."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import dagster as dg

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WORDS = {"hourly": "1h", "daily": "1d", "weekly": "1w", "monthly": "31d"}
_SLA = re.compile(r"^(\d+)\s*(m|h|d|w)[a-z]*$")


def freshness_policy(sla: Any) -> dg.FreshnessPolicy | None:
    """The policy of an SLA such as `30m`, `24h`, `7 days`, `daily`; None for one that is no span of time."""
    window = sla_window(sla)
    return dg.FreshnessPolicy.time_window(fail_window=window) if window else None


def sla_window(sla: Any) -> dt.timedelta | None:
    """The longest age that an SLA allows; None where it is no span of time."""
    text = str(sla or "").strip().lower()
    match = _SLA.match(_WORDS.get(text, text))
    if match is None or not int(match[1]):
        return None
    return dt.timedelta(**{_UNITS[match[2]]: int(match[1])})
