"""The names of all commands with their one-line helps, known without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One command: the family it is listed under, the module in `floe_dev.cli.commands`, its one-line help."""

    family: str
    module: str
    help: str


_STACK, _DATA, _PROJECT, _TOOLS = "The stack", "Runs and data", "Projects", "Tools"

COMMANDS: dict[str, Entry] = {
    "up": Entry(_STACK, "up", "Start the stack; materialize everything the first time."),
    "down": Entry(_STACK, "down", "Stop the stack; data stay unless --volumes."),
    "dashboard": Entry(_STACK, "dashboard", "Show the stack live: services, assets, tables, traces."),
    "status": Entry(_STACK, "status", "Show what is running, where, and since when."),
    "logs": Entry(_STACK, "logs", "Show the services' logs; -f follows them."),
    "restart": Entry(_STACK, "restart", "Restart one service, or the whole stack."),
    "open": Entry(_STACK, "open", "Open the Dagster UI in the browser, or a capsule."),
    "ps": Entry(_STACK, "ps", "List every stack of this user."),
    "run": Entry(_DATA, "run", "Materialize assets and show how it goes."),
    "tables": Entry(_DATA, "tables", "List tables; show one; compare two snapshots."),
    "sql": Entry(_DATA, "sql", "Query the catalog with DuckDB, once or in a shell."),
    "traces": Entry(_DATA, "traces", "List traces; show one as a waterfall; export them."),
    "runs": Entry(_DATA, "runs", "List runs; show the trace and the snapshots of one."),
    "lineage": Entry(_DATA, "lineage", "Show what an asset is made from, and what is made from it."),
    "history": Entry(_DATA, "history", "Show a table's snapshots with run and trace; compare two."),
    "blame": Entry(_DATA, "blame", "Show who last changed each column of one row."),
    "env": Entry(_DATA, "env", "Print settings and secrets for clients."),
    "exec": Entry(_DATA, "exec", "Run a program with the stack's environment."),
    "init": Entry(_PROJECT, "init", "Make a new project from the sample shop."),
    "validate": Entry(_PROJECT, "validate", "Check the project against the platform's rules."),
    "compile": Entry(_PROJECT, "compile", "Write the project as one file, without secrets."),
    "ci": Entry(_PROJECT, "ci", "Start the stack in a CI job; run a program with it."),
    "capsule": Entry(_PROJECT, "capsule", "Put all that explains a failure into one file."),
    "reset": Entry(_PROJECT, "reset", "Delete everything floe made for the project."),
    "images": Entry(_TOOLS, "images", "List, pull, build, save and load the containers' images."),
    "doctor": Entry(_TOOLS, "doctor", "Check the machine, the project and the stack."),
    "explain": Entry(_TOOLS, "explain", "Explain an error code."),
    "schema": Entry(_TOOLS, "schema", "Print the JSON Schema of a configuration file."),
    "completion": Entry(_TOOLS, "completion", "Print the shell's completion script."),
    "version": Entry(_TOOLS, "version", "Show the versions of floe and its parts."),
}
