"""Stack files: the bundled one, the user's own, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_dev.config.stacks import load_stack
from floe_dev.errors import Code, FloeError


def test_the_embedded_stack_loads_and_has_no_secret_in_its_command() -> None:
    stack = load_stack("embedded")
    (catalog,) = (service for service in stack.services if service.name == stack.catalog_service)
    assert stack.provision
    assert catalog.probe is not None
    assert catalog.probe.instance_header == "X-Floe-Instance"
    assert "{python}" in catalog.command
    assert not any("secret" in word.lower() for word in catalog.command)


def test_a_projects_own_stack_goes_before_the_bundled_one(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "embedded.yaml").write_text("name: embedded\nservices: {one: {command: ['{python}']}}\n")
    assert [service.name for service in load_stack("embedded", tmp_path).services] == ["one"]


def test_an_unknown_stack_suggests_the_nearest() -> None:
    with pytest.raises(FloeError) as caught:
        load_stack("embeded")
    assert caught.value.code is Code.UNKNOWN_STACK
    assert caught.value.fix == "--stack embedded"


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("name: x\nservices:\n  a: {comand: [b]}\n", Code.UNKNOWN_KEY, "write `command`"),
        ("name: x\nservices:\n  a: {depends_on: [b]}\n", Code.UNKNOWN_REFERENCE, "x.yaml:3"),
        (
            "name: x\nservices:\n  a: {depends_on: [b]}\n  b: {depends_on: [c]}\n  c: {depends_on: [b]}\n",
            Code.INVALID_VALUE,
            "x.yaml:4",
        ),
        ("name: x\nservices:\n  a: {depends_on: [a]}\n", Code.INVALID_VALUE, "a -> a"),
        ("name: x\nservices:\n  a: {x-floe: {prot: 1}}\n", Code.UNKNOWN_KEY, "write `port`"),
        ("name: x\nservices:\n  a: {x-floe: {port: 70000}}\n", Code.INVALID_VALUE, "65535"),
    ],
)
def test_a_bad_stack_file_is_one_error(tmp_path: Path, text: str, code: Code, told: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(FloeError) as caught:
        load_stack(str(file))
    assert caught.value.code is code
    assert told in str(caught.value)
