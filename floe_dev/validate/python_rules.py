"""The anti-patterns: each rule yields the nodes that break it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from floe_dev.validate.python_source import Source
from floe_dev.validate.secrets import FIX, is_credential

Hits = Iterator[tuple[ast.AST, str]]

_WRITERS = {
    *("pyarrow.parquet.write_table", "pyarrow.parquet.write_to_dataset", "pyarrow.parquet.ParquetWriter"),
    *("pyarrow.dataset.write_dataset", "pyarrow.orc.write_table", "pyarrow.feather.write_feather"),
}
_WRITING_METHODS = {"to_parquet", "write_parquet", "sink_parquet", "to_orc", "write_delta"}
_EXECUTING = {"execute", "executemany", "sql", "query"}
_LOADERS = {"load_assets_from_dbt_project", "load_assets_from_dbt_manifest"}
_STARTERS = {
    *(f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output", "getoutput")),
    *("os.system", "os.popen", "os.execvp", "os.execv"),
    *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
}
_PARSERS = {"sqlglot", "sqlparse", "sqllineage", "sql_metadata", "openlineage_sql"}
_ASSET_DECORATORS = {"dagster.asset", "dagster.multi_asset", "dagster.graph_asset"}
_TRANSFORMING = {"SELECT", "WITH", "INSERT", "CREATE", "MERGE", "UPDATE", "DELETE", "REPLACE"}


@dataclass(frozen=True)
class Rule:
    """One anti-pattern; `in_tests` is whether the project's tests must keep to it too."""

    name: str
    find: Callable[[Source], Hits]
    fix: str
    in_tests: bool = False


def writes(source: Source) -> Hits:
    """Files that no catalog knows of: no snapshot, no schema, no lineage."""
    for call in source.calls():
        name = source.name(call.func)
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name in _WRITERS or method in _WRITING_METHODS:
            yield call, f"`{name or method}` writes files that the catalog does not know of"
        elif method in _EXECUTING and call.args and _is_copy_to(_words(source, call.args[0])):
            yield call, "`COPY … TO` writes files that the catalog does not know of"


def loaders(source: Source) -> Hits:
    """The old ways of loading dbt models as assets."""
    for node, name in source.imports():
        if name.rpartition(".")[2] in _LOADERS:
            yield node, f"`{name.rpartition('.')[2]}` is deprecated"
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr in _LOADERS:
            yield node, f"`{node.attr}` is deprecated"


def credentials(source: Source) -> Hits:
    """Names of credentials that are given a text in the code; the text is never repeated."""
    for node in source.nodes:
        for place, name, value in _bindings(node):
            if isinstance(value, ast.Constant) and is_credential(name, value.value):
                yield place, f"`{name}` holds a credential"


def dbt_runs(source: Source) -> Hits:
    """Dbt started beside Dagster: no events, no lineage, no run to find it by."""
    for node, name in source.imports():
        if name == "dbt.cli.main.dbtRunner":
            yield node, "`dbtRunner` runs dbt outside DbtCliResource"
    for call in source.calls():
        if source.name(call.func) == "dbt.cli.main.dbtRunner" and isinstance(call.func, ast.Attribute):
            yield call, "`dbtRunner` runs dbt outside DbtCliResource"
        elif source.name(call.func) in _STARTERS and call.args and _is_dbt(_command(source, call)):
            yield call, f"`{source.name(call.func)}` runs dbt outside DbtCliResource"


def parsers(source: Source) -> Hits:
    """SQL parsed in Python: dbt owns SQL, the engine alone knows what it means."""
    for node, name in source.imports():
        if name.partition(".")[0] in _PARSERS:
            yield node, f"`{name.partition('.')[0]}` parses SQL in Python"


def sql_in_assets(source: Source) -> Hits:
    """Transformations inside an asset's function, where neither dbt nor its tests see them."""
    for node in source.nodes:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not _is_asset(source, node):
            continue
        for call in source.calls(node):
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if method in _EXECUTING and call.args and set(_words(source, call.args[0])[:1]) & _TRANSFORMING:
                yield call, f"the asset `{node.name}` holds its transformation as SQL"


RULES: tuple[Rule, ...] = (
    Rule("writes", writes, "return the data from the asset: the IO manager commits it to the catalog"),
    Rule("loaders", loaders, "use floe's `build_definitions`, or `@dbt_assets`"),
    Rule("credentials", credentials, FIX, in_tests=True),
    Rule("dbt", dbt_runs, 'use the resource: `dbt.cli(["build"], context=context).stream()`'),
    Rule("sql-parsing", parsers, "leave SQL to dbt and the engine; take lineage from `floe lineage`", in_tests=True),
    Rule(
        "sql-in-assets", sql_in_assets, "make it a dbt model, or a pure function on Arrow tables that the asset calls"
    ),
)


def _is_copy_to(words: list[str]) -> bool:
    return words[:1] == ["COPY"] and "TO" in words


def _words(source: Source, node: ast.AST) -> list[str]:
    return (source.text(node) or "").upper().split()


def _command(source: Source, call: ast.Call) -> list[str]:
    """The first words of the command that a call starts, as far as they are spelled out."""
    first = call.args[0]
    if isinstance(first, ast.List | ast.Tuple):
        return [source.text(item) or "" for item in first.elts[:3]]
    texts = [source.text(item) or "" for item in call.args[:3]]
    return texts[0].split() if " " in texts[0] else texts


def _is_dbt(command: list[str]) -> bool:
    if command and PurePath(command[0]).name == "dbt":
        return True
    return len(command) > 2 and command[1] == "-m" and command[2].partition(".")[0] == "dbt"


def _is_asset(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    decorators = (item.func if isinstance(item, ast.Call) else item for item in function.decorator_list)
    return any(source.name(item) in _ASSET_DECORATORS for item in decorators)


def _bindings(node: ast.AST) -> Iterator[tuple[ast.AST, str, ast.AST | None]]:
    """The names that a node gives values to: variables, attributes, keys, arguments and their defaults."""
    if isinstance(node, ast.Assign):
        yield from ((node, _target(target), node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign):
        yield node, _target(node.target), node.value
    elif isinstance(node, ast.keyword):
        yield node.value, node.arg or "", node.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant):
                yield value, str(key.value), value
    elif isinstance(node, ast.arguments):
        named = [*node.posonlyargs, *node.args]
        pairs = [
            *zip(reversed(named), reversed(node.defaults), strict=False),
            *zip(node.kwonlyargs, node.kw_defaults, strict=True),
        ]
        yield from ((argument, argument.arg, default) for argument, default in pairs)


def _target(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return ""
