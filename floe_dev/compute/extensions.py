"""DuckDB's extensions from their wheels: loaded by path, so nothing is downloaded and no network is needed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from floe_dev.errors import Code, FloeError

#: In this order: iceberg needs both others.
EXTENSIONS = ("avro", "httpfs", "iceberg")


def extension_paths() -> tuple[Path, ...]:
    """The extension files to LOAD, in order; raises FloeError 6004 where a wheel is missing or of another version."""
    import duckdb

    paths = []
    for name in EXTENSIONS:
        module = f"duckdb_extension_{name}"
        spec = importlib.util.find_spec(module)
        folder = Path(spec.origin).parent if spec is not None and spec.origin else None
        found = next(iter(folder.rglob(f"v{duckdb.__version__}/**/{name}.duckdb_extension")), None) if folder else None
        if found is None:
            raise FloeError(
                Code.EXTENSION_MISSING,
                f"DuckDB's extension `{name}` for DuckDB {duckdb.__version__} is not installed",
                why="the extension's wheel must have DuckDB's own version",
                fix=f"pip install duckdb-extension-{name}=={duckdb.__version__}",
            )
        paths.append(found)
    return tuple(paths)
