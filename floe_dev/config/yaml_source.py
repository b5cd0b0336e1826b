"""YAML read with positions: every key path knows its line and column, so that errors can name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from floe_dev.errors import Code, FloeError, Where

#: A configuration file larger than this is a mistake (a data file named by accident).
MAX_BYTES = 1_000_000

#: libyaml's composer recurses and takes the process down at some tens of thousands of levels.
MAX_DEPTH = 50
#: Aliases are expanded, so a few lines can stand for billions of values.
MAX_NODES = 100_000

KeyPath = tuple[str | int, ...]
_PREFIX = "tag:yaml.org,2002:"
_MAPPING, _SEQUENCE, _MERGE = f"{_PREFIX}map", f"{_PREFIX}seq", f"{_PREFIX}merge"
_SCALARS = {f"{_PREFIX}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp")}
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
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            constructor = _Constructor(loader)
            data = None if node is None else constructor.construct(node, (), 0)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FloeError(
            Code.YAML_SYNTAX,
            f"{file.name} is not valid YAML",
            why=" ".join(part for part in (error.context, error.problem) if part),
            fix=_fix(error.problem or "", text, mark),
            where=Where(file, mark.line + 1, mark.column + 1) if mark else Where(file),
        ) from error
    except yaml.YAMLError as error:
        raise FloeError(
            Code.YAML_SYNTAX,
            f"{file.name} is not valid YAML",
            why=str(error),
            fix="take the character out, or write it as an escape in double quotes",
            where=_reader_place(text, file),
        ) from error
    if data is None:
        return YamlSource(file, {}, {})
    if not isinstance(data, dict):
        raise FloeError(
            Code.INVALID_VALUE,
            f"{file.name} holds a {type(data).__name__}, not a mapping",
            why="its top level must be `key: value` lines",
            fix="write it as a mapping",
            where=Where(file, *constructor.positions[()]),
        )
    return YamlSource(file, data, constructor.positions)


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise yaml.MarkedYAMLError(
                    problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=_mark(event.start_mark)
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _fix(problem: str, text: str, mark: yaml.Mark | None) -> str:
    lines = text.splitlines()
    if mark is not None and mark.line < len(lines) and "\t" in lines[mark.line][: mark.column + 1]:
        return "replace the tab by spaces"
    if "another document" in problem:
        return "keep one document per file: remove the `---` line"
    if "twice" in problem:
        return "keep one of the two"
    if "undefined alias" in problem or "alphabetic or numeric" in problem:
        return "put a value that begins with `*` or `&` into quotes"
    return "mend the line named above (indent with spaces, close quotes and brackets)"


def _reader_place(text: str, file: Path) -> Where:
    """The line of a character that YAML does not allow; libyaml tells only its offset."""
    for index, character in enumerate(text):
        if (character < " " and character not in "\t\n\r") or character in "\x7f\ufffe\uffff":
            before = text[:index]
            return Where(file, before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)
    return Where(file)


class _Constructor:
    """Builds plain data from nodes, and notes where each key stands."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._nodes = 0
        self.positions: dict[KeyPath, tuple[int, int]] = {}

    def construct(self, node: yaml.Node, path: KeyPath, depth: int) -> Any:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            limit = f"nested deeper than {MAX_DEPTH} levels" if depth > MAX_DEPTH else f"more than {MAX_NODES:,} values"
            raise yaml.MarkedYAMLError(problem=f"{limit} once its aliases are expanded", problem_mark=node.start_mark)
        self.positions.setdefault(path, _place(node))
        if isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
            return [self.construct(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return self._scalar(node)
        raise yaml.MarkedYAMLError(
            problem=f"the tag {node.tag.replace(_PREFIX, '!!')} has no meaning here", problem_mark=node.start_mark
        )

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, depth: int) -> dict[str, Any]:
        own: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self._key(key_node)
            if key in own:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
            own.add(key)
        # Merged pairs (`<<`) come first, so that the mapping's own keys replace them.
        self._loader.flatten_mapping(node)
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            self.positions[(*path, key)] = _place(key_node)
            result[key] = self.construct(value_node, (*path, key), depth + 1)
        return result

    def _key(self, node: yaml.Node) -> str:
        """Keys are taken as they are written: a port number as a key is text, and so is `on`."""
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        raise yaml.MarkedYAMLError(problem="a key must be plain text", problem_mark=node.start_mark)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            return self._loader.construct_object(node, deep=True)
        except (ValueError, OverflowError) as error:
            kind = node.tag.removeprefix(_PREFIX)
            raise yaml.MarkedYAMLError(
                problem=f"{node.value[:40]!r} reads as a {kind}, but is none; put text into quotes",
                problem_mark=node.start_mark,
            ) from error


def _mark(mark: Any) -> yaml.Mark | None:
    """Libyaml's marks, which the exceptions take although their types do not say so."""
    return mark  # type: ignore[no-any-return]


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
