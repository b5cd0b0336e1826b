"""The user's own settings of the dashboard: `dashboard.yaml` in floe's configuration folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from floe_dev.errors import Code, FloeError, Where

THEMES = ("dark", "light", "contrast", "mono")
#: How the terminal itself tells of a run that ended: its bell for one that failed, or a desktop notification.
NOTICES = ("bell", "desktop", "off")


@dataclass(frozen=True)
class DashboardSettings:
    """`keys` maps the id of a key binding to other keys, such as `{"help": "f1"}`; `notify` is bell, desktop or off.

    Without a `theme` the terminal decides.
    """

    theme: str | None = None
    notify: str = "bell"
    keys: Mapping[str, str] = field(default_factory=dict)


def settings_file(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_CONFIG_HOME/floe/dashboard.yaml`, by default below `~/.config`."""
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "floe" / "dashboard.yaml"


def load_settings(file: Path | None = None) -> DashboardSettings:
    """The settings, or the defaults where there is no file; FLOE8103 if it is not understood."""
    import yaml

    file = file or settings_file()
    try:
        content = yaml.safe_load(file.read_text("utf-8")) or {}
    except FileNotFoundError:
        return DashboardSettings()
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _wrong(file, str(error).partition("\n")[0]) from error
    if not isinstance(content, dict) or set(content) - {"theme", "keys", "notify"}:
        raise _wrong(file, "it holds `theme`, `keys` and `notify`, nothing else")
    theme, keys = content.get("theme"), content.get("keys") or {}
    # YAML reads a bare `off` as false.
    notify = "off" if content.get("notify") is False else content.get("notify", "bell")
    if notify not in NOTICES:
        raise _wrong(file, f"notify is one of {', '.join(NOTICES)}")
    if theme not in (None, *THEMES):
        raise _wrong(file, f"theme is one of {', '.join(THEMES)}")
    if not isinstance(keys, dict):
        raise _wrong(file, "`keys` maps actions to keys")
    return DashboardSettings(theme, notify, {str(action): str(key) for action, key in keys.items()})


def _wrong(file: Path, why: str) -> FloeError:
    return FloeError(
        Code.DASHBOARD_KEYS,
        "the dashboard's settings are wrong",
        why=why,
        where=Where(file),
        fix="docs/reference/dashboard-keys.md has an example",
    )
