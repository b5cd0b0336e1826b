"""Everything with a name, in the command palette."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import Matcher

from floe_dev.tui.lists import key_of, run_title
from floe_dev.tui.navigation import Navigation
from floe_dev.tui.text import inert, tone_of

#: More names of one kind than this would hold up every letter that is typed.
_MOST = 20_000


class ItemProvider(Provider):
    """Services, assets, tables, automations and runs by name."""

    async def search(self, query: str) -> Hits:
        """What matches, as Textual's matcher sees it."""
        matcher = self.matcher(query)
        for name, key, item in self._items():
            if (score := matcher.match(key)) > 0:
                yield Hit(score, _marked(matcher, key), lambda n=name, i=item: self._open(n, i), text=key, help=name)

    async def discover(self) -> Hits:
        """What is in trouble, before anything is typed."""
        for name, key, item in self._items():
            if name == "assets" and tone_of(item.state) == "bad":
                text = f"{key} (failed)"
                yield DiscoveryHit(Content(text), lambda n=name, i=item: self._open(n, i), text=text, help=name)

    def _items(self) -> Iterable[tuple[str, str, Any]]:
        state = self._floe.backend.state
        for name in ("services", "assets", "tables", "automations"):
            for item in getattr(state, name).items[:_MOST]:
                yield name, inert(key_of(name, item)), item
        for run in state.runs.items:
            yield "runs", inert(f"run {run.run_id[:8]} of {run_title(run)}"), run

    @property
    def _floe(self) -> Navigation:
        app = self.app
        assert isinstance(app, Navigation)
        return app

    def _open(self, name: str, item: Any) -> None:
        self._floe.close_dialogs()
        self._floe.open_item(name, item)


def _marked(matcher: Matcher, key: str) -> Content:
    """The key with the letters that match; the matcher's own `highlight` would take brackets in it for markup."""
    content = Content(key)
    for place in matcher.fuzzy_search.match(matcher.query, key)[1]:
        content = content.stylize(matcher.match_style, place, place + 1)
    return content
