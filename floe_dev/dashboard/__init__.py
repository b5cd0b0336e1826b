"""What stands behind the dashboard's screens: watchers that fill its `State`, its commands, and its details."""

from floe_dev.dashboard.backend import LocalBackend

__all__ = ["LocalBackend"]
