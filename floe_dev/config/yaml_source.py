"""YAML read with positions: every key path knows its line and column, so that errors can name them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from floe_dev.errors import Code, FloeError, Where

#: A configuration file larger than this is a mistake (a data file named by accident).
MAX_BYTES = 1_000_000

KeyPath = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class YamlSource:
    """One parsed file: its data, and for each key path the line and column (from 1) where it stands."""

    file: Path
    data: Any
    positions: Mapping[KeyPath, tuple[int, int]] = field(default_factory=dict)

    def where(self, path: Sequence[str | int]) -> Where:
        """The place of `path`, or of its nearest ancestor that is in the file."""
        known = tuple(path)
        while known and known not in self.positions:
            known = known[:-1]
        line, column = self.positions.get(known, (1, 1))
        return Where(self.file, line, column, render_path(path) or None)


def render_path(path: Iterable[str | int]) -> str:
    """`catalogs.default.uri`, `transforms[0].type`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_yaml(file: Path) -> YamlSource:
    """Parse `file`; raises FloeError (1101 syntax, 1102 unreadable) with the place."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise FloeError(
            Code.CONFIG_FILE_UNREADABLE,
            f"cannot read {file.name}",
            why=error.strerror or str(error),
            fix=f"make {file} a readable file",
            where=Where(file),
        ) from error
    if len(raw) > MAX_BYTES:
        raise FloeError(
            Code.CONFIG_FILE_UNREADABLE,
            f"{file.name} is {len(raw):,} bytes",
            why=f"a configuration file has at most {MAX_BYTES:,} bytes",
            fix="name the right file",
            where=Where(file),
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise FloeError(
            Code.CONFIG_FILE_UNREADABLE,
            f"{file.name} is not UTF-8",
            why=f"byte 0x{raw[error.start]:02x} at offset {error.start} does not decode",
            fix="save the file as UTF-8",
            where=Where(file, line),
        ) from error
    return parse_yaml(text, file)


def parse_yaml(text: str, file: Path) -> YamlSource:
    """Parse `text` as if it stood in `file`; an empty document is an empty mapping."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        positions: dict[KeyPath, tuple[int, int]] = {}
        if node is None:
            return YamlSource(file, {}, positions)
        data = _construct(loader, node, (), positions, file, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FloeError(
            Code.YAML_SYNTAX,
            f"{file.name} is not valid YAML",
            why=" ".join(part for part in (error.context, error.problem) if part),
            fix="mend the line named above (indent with spaces, close quotes and brackets)",
            where=Where(file, mark.line + 1, mark.column + 1) if mark else Where(file),
        ) from error
    except yaml.YAMLError as error:
        raise FloeError(
            Code.YAML_SYNTAX, f"{file.name} is not valid YAML", why=str(error), fix="mend the file", where=Where(file)
        ) from error
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise FloeError(
            Code.INVALID_VALUE,
            f"{file.name} holds a {type(data).__name__}, not a mapping",
            why="its top level must be `key: value` lines",
            fix="write it as a mapping",
            where=Where(file, 1),
        )
    return YamlSource(file, data, positions)


def _construct(
    loader: Any, node: yaml.Node, path: KeyPath, positions: dict[KeyPath, tuple[int, int]], file: Path, depth: int
) -> Any:
    if depth > 50:
        raise yaml.MarkedYAMLError(problem="nested deeper than 50 levels", problem_mark=node.start_mark)
    positions.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(key)
            if key in result:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
            mark = key_node.start_mark
            positions[(*path, key)] = (mark.line + 1, mark.column + 1)
            result[key] = _construct(loader, value_node, (*path, key), positions, file, depth + 1)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [
            _construct(loader, item, (*path, index), positions, file, depth + 1)
            for index, item in enumerate(node.value)
        ]
    return loader.construct_object(node, deep=True)


def validate(model: type[M], source: YamlSource) -> M:
    """`source` as `model`; all problems in one FloeError (1201 if the first is an unknown key, else 1202)."""
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        raise _explain(model, source, error) from error


def _explain(model: type[BaseModel], source: YamlSource, error: ValidationError) -> FloeError:
    problems = [_problem(model, source, item) for item in error.errors(include_url=False)]
    problems.sort(key=lambda p: (p[0].line or 0, p[0].column or 0))
    where, code, what, why, fix = problems[0]
    rest = tuple(f"{p[0]}: {p[2]}" for p in problems[1:])
    return FloeError(code, what, why=why, fix=fix, where=where, detail=rest)


def _problem(model: type[BaseModel], source: YamlSource, item: ErrorDetails) -> tuple[Where, Code, str, str, str]:
    path = _in_file(source, item["loc"])
    where = source.where(path)
    name = render_path(path) or source.file.name
    if item["type"] == "extra_forbidden":
        valid = _fields_at(model, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), valid, n=1, cutoff=0.5)
        fix = f"write `{near[0]}`" if near else "remove the key"
        why = f"the keys known here are: {', '.join(sorted(valid))}" if valid else "no key is known here"
        return where, Code.UNKNOWN_KEY, f"unknown key `{name}`", why, fix
    if item["type"] == "missing":
        return where, Code.INVALID_VALUE, f"`{name}` is missing", "the key is required", f"add `{path[-1]}:`"
    message = item["msg"].removeprefix("Value error, ")
    got = item.get("input")
    shown = f"; it is {got!r}" if isinstance(got, str | int | float | bool) or got is None else ""
    return where, Code.INVALID_VALUE, f"`{name}` is not valid", f"{message}{shown}", f"correct `{name}`"


def _in_file(source: YamlSource, loc: tuple[int | str, ...]) -> KeyPath:
    """Pydantic's location without the parts it adds for unions and discriminators."""
    path: KeyPath = ()
    for index, part in enumerate(loc):
        if (*path, part) in source.positions or index == len(loc) - 1:
            path = (*path, part)
    return path


def _fields_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys (by alias) that are valid below `path`."""
    candidates: list[Any] = [model]
    for part in path:
        following: list[Any] = []
        for candidate in candidates:
            for kind in _models(candidate):
                for field_name, info in kind.model_fields.items():
                    if part in (field_name, info.alias):
                        following.append(info.annotation)
            following.extend(_items(candidate))
        candidates = following
    names: list[str] = []
    for candidate in candidates:
        for kind in _models(candidate):
            names.extend(info.alias or field_name for field_name, info in kind.model_fields.items())
    return names


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if _is_container(annotation):
        return []
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _items(annotation: Any) -> list[Any]:
    """What a list or dict annotation holds, also inside `X | None`."""
    if _is_container(annotation):
        return list(get_args(annotation))
    return [item for argument in get_args(annotation) for item in _items(argument)]


def _is_container(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (dict, list, tuple)
