"""Lineage around one dataset: up to what it is made from, down to what is made from it."""

from __future__ import annotations

from collections.abc import Iterable

from floe_dev.model.lineage import ColumnEdge, LineageEdge, LineageGraph


def around(
    focus: str, edges: Iterable[LineageEdge], columns: Iterable[ColumnEdge] = (), *, depth: int | None = None
) -> LineageGraph:
    """The part of the graph that leads to `focus` and away from it, at most `depth` edges each way."""
    by_pair = {(edge.source, edge.target): edge for edge in edges}
    kept: dict[tuple[str, str], LineageEdge] = {}
    for up in (True, False):
        level, seen, far = {focus}, {focus}, 0
        while level and (depth is None or far < depth):
            found = {pair: edge for pair, edge in by_pair.items() if pair[1 if up else 0] in level}
            kept |= found
            level = {pair[0 if up else 1] for pair in found} - seen
            seen |= level
            far += 1
    names = {focus, *(name for pair in kept for name in pair)}
    return LineageGraph(
        focus=focus,
        datasets=tuple(sorted(names)),
        edges=tuple(kept[pair] for pair in sorted(kept)),
        columns=tuple(edge for edge in columns if edge.source in names and edge.target in names),
    )


def mermaid(graph: LineageGraph) -> str:
    """The graph as a Mermaid flowchart."""
    ids = {name: f"n{number}" for number, name in enumerate(graph.datasets)}
    lines = ["flowchart LR"]
    lines += [f'  {ids[name]}["{_quoted(name)}"]' for name in graph.datasets]
    lines += [f"  {ids[edge.source]} --> {ids[edge.target]}" for edge in graph.edges]
    return "\n".join([*lines, f"  style {ids[graph.focus]} stroke-width:3px"])


def dot(graph: LineageGraph) -> str:
    """The graph for Graphviz."""
    lines = ["digraph lineage {", "  rankdir=LR; node [shape=box];", f'  "{_escaped(graph.focus)}" [penwidth=2];']
    lines += [f'  "{_escaped(edge.source)}" -> "{_escaped(edge.target)}";' for edge in graph.edges]
    return "\n".join([*lines, "}"])


def tree(graph: LineageGraph, *, up: bool) -> list[tuple[int, str]]:
    """Depth and name, the focus first; what was shown before is not followed again."""
    following: dict[str, list[str]] = {}
    for edge in graph.edges:
        near, far = (edge.target, edge.source) if up else (edge.source, edge.target)
        following.setdefault(near, []).append(far)
    lines: list[tuple[int, str]] = []
    stack, seen = [(0, graph.focus)], set[str]()
    while stack:
        depth, name = stack.pop()
        lines.append((depth, name))
        if name not in seen:
            seen.add(name)
            stack += [(depth + 1, each) for each in sorted(following.get(name, []), reverse=True)]
    return lines


def _quoted(name: str) -> str:
    return name.replace('"', "#quot;")


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
