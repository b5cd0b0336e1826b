"""Keys typed ahead: each waits until what the one before it set off is on the screen.

Textual hands a key to the widget with the focus, from where it comes back to the app's bindings only two queues later.
Of `r Enter` in one go, Enter is then handed to the list below the dialog that `r` has not opened yet, and is lost.
"""

from __future__ import annotations

from collections import deque

from textual import events
from textual.app import App
from textual.dom import DOMNode

#: A screen is made within milliseconds; a key waits for at most this many looks at it, a hundredth of a second each.
_LOOKS = 100


class TypeAheadApp(App[str]):
    """Takes one key at a time."""

    def __init__(self) -> None:
        """No key is under way."""
        super().__init__()
        self._typed: deque[events.Key] = deque()
        self._under_way = False

    async def on_event(self, event: events.Event) -> None:
        """A key waits for the one before it."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
        elif self._under_way:
            self._typed.append(event)
        else:
            await self._take(event)

    async def _take(self, event: events.Key) -> None:
        self._under_way = True
        target: DOMNode = self.focused or self.screen
        await super().on_event(event)
        self._go_after(target)

    def _go_after(self, node: DOMNode) -> None:
        """Take the way of the key through the queues: who comes out at the app comes after it."""
        if node is self:
            self.call_later(self._key_done)
        elif not node.call_later(self._go_after, node.parent or self):
            # The widget is gone meanwhile, and the key with it.
            self.call_later(self._key_done)

    def _key_done(self, looks: int = _LOOKS) -> None:
        if not self.screen.is_mounted and looks:
            self.set_timer(0.01, lambda: self._key_done(looks - 1))
            return
        if self._typed:
            # Still under way: a key that has just come must not pass the one that waited.
            self.call_later(self._take, self._typed.popleft())
        else:
            self._under_way = False
