"""All benchmarks, or those named: `python -m benchmarks.run p1 p9 [--json FILE] [--update-docs]`."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

MODULES = {
    "p0": "benchmarks.p0_clone",
    "p1": "benchmarks.p1_warm_up",
    "p2": "benchmarks.p2_docker",
    "p3": "benchmarks.p3_first_run",
    "p4": "benchmarks.p4_testing",
    "p5": "benchmarks.p5_catalog",
    "p6": "benchmarks.p6_write",
    "p7": "benchmarks.p7_telemetry",
    "p8": "benchmarks.p8_dashboard",
    "p9": "benchmarks.p9_cli",
    "p10": "benchmarks.p10_memory",
    "p11": "benchmarks.p11_scale",
}
PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: begin (make bench writes this part) -->", "<!-- figures: end -->"


def main() -> None:
    """Run, print, and keep what was asked for."""
    parser = argparse.ArgumentParser(description="Measure floe_dev against its peers.")
    parser.add_argument("names", nargs="*", choices=[*MODULES, []], help="which (default: all)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--update-docs", action="store_true", help="put the figures into docs/benchmarks.md")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    console = Console()
    for name in options.names or MODULES:
        console.print(f"[bold]{name}[/bold] …")
        figures[name] = importlib.import_module(MODULES[name]).run()
        console.print(_table(name, figures[name]))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "figures": figures}, indent=1))
    if options.update_docs:
        update_page(figures)


def machine() -> str:
    """What the figures were measured on."""
    memory = psutil.virtual_memory().total / 2**30
    date = datetime.now(UTC).date().isoformat()
    return (
        f"{platform.system()} {platform.machine()}, {psutil.cpu_count()} processors, {memory:.0f} GiB, "
        f"Python {platform.python_version()}, {date}"
    )


def update_page(figures: dict[str, Any]) -> None:
    """Replace the marked part of the page: what was measured now, the rest of it as it was."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    sections = {part.partition("\n")[0]: part for part in old.split("### ")[1:]}
    for name, found in figures.items():
        sections[name] = f"{name}\n\n{machine()}\n\n" + "".join(_rows(found)) + "\n"
    body = "".join(f"### {sections[name]}" for name in MODULES if name in sections)
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}{END}{after}")


def _rows(found: dict[str, Any]) -> list[str]:
    return ["| figure | value |\n|---|---|\n", *(f"| {key} | {value} |\n" for key, value in _flat(found).items())]


def _table(name: str, found: dict[str, Any]) -> Table:
    table = Table("figure", "value", title=name)
    for key, value in _flat(found).items():
        table.add_row(key, str(value))
    return table


def _flat(found: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key} "))
        else:
            flat[f"{prefix}{key}"] = round(value, 2) if isinstance(value, float) else value
    return flat


if __name__ == "__main__":
    main()
