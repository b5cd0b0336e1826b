"""What is made from what: the assets as a tree, each told once, with its state."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult

from floe_dev.model.state import AssetView, State
from floe_dev.tui.base import FloeScreen
from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.join import Links, links_of
from floe_dev.tui.text import age, state_cell


@dataclass(frozen=True, slots=True)
class Node:
    """An asset at a place of the tree; `again` where it was told in full further up."""

    asset: AssetView
    depth: int
    path: str
    again: bool


def nodes_of(assets: tuple[AssetView, ...]) -> list[Node]:
    """From the assets that need nothing to those that nothing needs; what has several parents stands below each."""
    known = {asset.key: asset for asset in assets}
    children: dict[str, list[str]] = {}
    for asset in assets:
        for parent in asset.depends_on:
            children.setdefault(parent, []).append(asset.key)
    roots = [asset.key for asset in assets if not any(parent in known for parent in asset.depends_on)]
    found: list[Node] = []
    told: set[str] = set()
    stack = [(key, 0, key) for key in reversed(roots)]
    while stack:
        key, depth, path = stack.pop()
        again = key in told
        found.append(Node(known[key], depth, path, again))
        if not again:
            told.add(key)
            stack += [(child, depth + 1, f"{path} {child}") for child in reversed(children.get(key, []))]
    return found


NODES: tuple[Column[Node], ...] = (
    Column("state", 9, lambda n: state_cell(n.asset.state)),
    Column(
        "asset",
        40,
        lambda n: (
            "   " * n.depth + ("└─ " if n.depth else "") + n.asset.key + (" ↑" if n.again else ""),
            "dim" if n.again else "",
        ),
        grow=True,
    ),
    Column("group", 12, lambda n: (n.asset.group, "dim"), rank=1),
    Column("age", 7, lambda n: age(n.asset.materialized_at), right=True),
)


class LineageScreen(FloeScreen):
    """The whole graph."""

    crumb = "lineage"

    def body(self) -> ComposeResult:
        """The tree."""
        yield Grid(NODES, lambda n: n.path, id="lineage")

    def take(self, state: State) -> None:
        """The tree of now."""
        super().take(state)
        self.query_one("#lineage", Grid).show(nodes_of(state.assets.items), ("Dagster has no assets", "dim"))

    def links(self) -> Links:
        """The asset under the cursor."""
        item = self.query_one("#lineage", Grid).current
        return links_of("assets", item.asset, self.floe.backend.state) if isinstance(item, Node) else Links()

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        self.floe.open_asset(event.item.asset.key)
