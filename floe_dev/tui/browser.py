"""A page in the browser of this machine's desktop, where there is one."""

from __future__ import annotations

import webbrowser

#: Python starts these in the terminal, in the middle of the dashboard.
_IN_TERMINAL = frozenset(("www-browser", "links", "elinks", "lynx", "w3m"))


def open_page(url: str) -> bool:
    """Open it; False where there is no browser with a window of its own."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    if getattr(browser, "basename", "") in _IN_TERMINAL:
        return False
    return browser.open(url)
