"""What a container uses, asked of the engine when somebody looks at it, and never else."""

from __future__ import annotations

from typing import Any

from floe_dev.drivers.docker import container_name
from floe_dev.drivers.engine import connect
from floe_dev.model.details import Usage


def container_usage(project: str, service: str) -> Usage | None:
    """Of the container of a project's service; None where it does not run. Takes the second that the engine measures.

    Raises FloeError 2301 or 2302 where the engine does not answer.
    """
    from docker.errors import DockerException

    try:
        return _usage(connect().containers.get(container_name(project, service)).stats(stream=False))
    except (DockerException, OSError):
        return None  # gone meanwhile, as any container may be


def _usage(stats: dict[str, Any]) -> Usage | None:
    """As `docker stats` has it: memory without the files that could be read again; processors over the last second."""
    memory = stats.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    # cgroup 1's name, cgroup 2's.
    details = memory.get("stats") or {}
    files = details.get("total_inactive_file", details.get("inactive_file", 0))
    now, before = stats.get("cpu_stats") or {}, stats.get("precpu_stats") or {}
    used = _total(now) - _total(before)
    machine = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    share = used / machine * now.get("online_cpus", 1) * 100 if machine > 0 else 0.0
    return Usage(memory=max(0, memory["usage"] - files), cpu=max(0.0, share))


def _total(cpu: dict[str, Any]) -> int:
    return int((cpu.get("cpu_usage") or {}).get("total_usage", 0))
