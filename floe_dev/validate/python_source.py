"""A parsed Python file whose names are known by what they were imported as."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property


class Source:
    """One module's syntax tree."""

    def __init__(self, tree: ast.Module) -> None:
        """Keep the tree."""
        self.tree = tree

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node."""
        return list(ast.walk(self.tree))

    @cached_property
    def _aliases(self) -> dict[str, str]:
        """What a name of the module stands for: `pq` for `pyarrow.parquet`."""
        found = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.asname:
                        found[alias.asname] = alias.name
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return found

    @cached_property
    def _texts(self) -> dict[str, str]:
        """Names that are assigned a text, wherever in the module: a statement is often written above its use."""
        found = {}
        for node in self.nodes:
            if isinstance(node, ast.Assign) and (text := leading_text(node.value)) is not None:
                found.update({target.id: text for target in node.targets if isinstance(target, ast.Name)})
        return found

    def calls(self, below: ast.AST | None = None) -> Iterator[ast.Call]:
        """Every call, of the module or below one node."""
        nodes = self.nodes if below is None else ast.walk(below)
        return (node for node in nodes if isinstance(node, ast.Call))

    def imports(self) -> Iterator[tuple[ast.AST, str]]:
        """Every imported module or name, in full."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)

    def name(self, node: ast.AST) -> str:
        """The full dotted name of an expression: `pyarrow.parquet.write_table`; empty for anything but names."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self._aliases.get(node.id, node.id), *reversed(parts)])

    def text(self, node: ast.AST) -> str | None:
        """How the text of an expression begins, where the module itself spells it out."""
        if isinstance(node, ast.Name):
            return self._texts.get(node.id)
        return leading_text(node)


def leading_text(node: ast.AST) -> str | None:
    """The text of a literal; of an f-string or a sum of texts what it begins with."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = (part.value for part in node.values if isinstance(part, ast.Constant))
        return " ".join(str(part) for part in parts)
    if isinstance(node, ast.BinOp):
        return leading_text(node.left)
    return None
