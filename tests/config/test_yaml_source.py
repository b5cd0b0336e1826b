"""What is wrong with a file is told with its place, and no file ends or stalls the process."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from floe_dev.config.yaml_source import MAX_BYTES, parse_yaml, read_yaml
from floe_dev.errors import Code, FloeError

FILE = Path("floe.yaml")
BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 8)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("a: 'x\nb: 1\n", 3, "quoted scalar"),
        ("a:\n\tb: 1\n", 2, "replace the tab by spaces"),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' stands twice"),
        ("1: 2\n'1': 3\n", 2, "'1' stands twice"),
        ("a: 1\n---\nb: 2\n", 2, "one document per file"),
        ("a: *zz\n", 1, "undefined alias"),
        ("? [a, b]\n: 1\n", 1, "plain text"),
        ("a: !!python/object:os.system x\n", 1, "!!python/object:os.system"),
        ("a: !mine x\n", 1, "!mine"),
        ("a: 2024-13-45\n", 1, "reads as a timestamp"),
        ("a: " + "9" * 5000 + "\n", 1, "reads as a int"),
        ("b: 1\na: \x07\n", 2, "control characters"),
        ("a: &a [*a]\n", 1, "aliases"),
        ("a: " + "[" * 100_000, 1, "nested deeper"),
        ("".join(" " * level + "a:\n" for level in range(1200)), 51, "nested deeper"),
        (BOMB, None, "aliases"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_bad_syntax_is_one_error_with_its_line(text: str, line: int | None, told: str) -> None:
    began = time.perf_counter()
    with pytest.raises(FloeError) as caught:
        parse_yaml(text, FILE)
    assert time.perf_counter() - began < 5
    assert caught.value.code is Code.YAML_SYNTAX
    assert caught.value.where is not None
    assert line is None or caught.value.where.line == line
    assert told in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("text", ["", "# only a comment\n", "null\n", "---\n"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert parse_yaml(text, FILE).data == {}


@pytest.mark.parametrize("text", ["- a\n", "hello\n", "3\n"])
def test_anything_but_a_mapping_is_refused(text: str) -> None:
    with pytest.raises(FloeError, match="not a mapping") as caught:
        parse_yaml(text, FILE)
    assert caught.value.code is Code.INVALID_VALUE


def test_anchors_and_merge_keys_work_and_own_keys_win() -> None:
    source = parse_yaml("base: &b {type: daily, start: a}\nx:\n  <<: *b\n  start: c\n", FILE)
    assert source.data["x"] == {"type": "daily", "start": "c"}
    where = source.where(("x", "start"))
    assert (where.line, where.column, where.key) == (4, 3, "x.start")


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "floe.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read_yaml(file).data == {"name": "x"}


def test_unreadable_files_say_why(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: 1\nname: Käse\n".encode("latin-1"))
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"#" * (MAX_BYTES + 1))
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    for file, told in (
        (latin, "latin.yaml:2"),
        (huge, "at most"),
        (folder, "directory"),
        (tmp_path / "none.yaml", "No such file"),
    ):
        with pytest.raises(FloeError) as caught:
            read_yaml(file)
        assert caught.value.code is Code.CONFIG_FILE_UNREADABLE
        assert told in str(caught.value)
