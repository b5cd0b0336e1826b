"""The checked-in reference pages are what the code says now."""

from __future__ import annotations

from docs.reference_commands import pages


def test_commands_and_errors_are_up_to_date() -> None:
    for file, content in pages().items():
        assert file.read_text(encoding="utf-8") == content, f"run: python -m docs.reference_commands ({file.name})"
