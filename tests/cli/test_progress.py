"""Progress views fed with events, without a stack."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from floe_dev.cli.output import Output
from floe_dev.cli.render.live import draw
from floe_dev.cli.render.progress import Choice, JsonProgress, PlainProgress, QuietProgress, make_progress
from floe_dev.cli.render.rows import Rows
from floe_dev.cli.render.summary import Summary, summary_text
from floe_dev.model.status import Event

T = 1_700_000_000.0

UP = [
    Event(kind="service", time=T, name="catalog", data={"state": "starting", "started_at": T}),
    Event(kind="service", time=T + 0.1, name="catalog", data={"state": "starting", "reason": "connection refused"}),
    Event(kind="notice", time=T + 0.2, data={"text": "port 8181 is taken by java (77): using 40001"}),
    Event(
        kind="service",
        time=T + 0.8,
        name="catalog",
        data={"state": "ready", "started_at": T, "ready_at": T + 0.8, "url": "http://127.0.0.1:40001"},
    ),
    Event(kind="step", time=T + 0.8, name="provision", data={"state": "running", "started_at": T + 0.8}),
    Event(kind="step", time=T + 1.1, name="provision", data={"state": "done", "seconds": 0.3}),
]


def test_rows_take_states_and_durations() -> None:
    rows = Rows()
    for event in UP:
        rows.apply(event)
    (catalog,) = rows.of("service")
    assert (catalog.state, catalog.detail) == ("ready", "http://127.0.0.1:40001")
    assert catalog.seconds == pytest.approx(0.8)
    assert rows.of("step")[0].seconds == 0.3
    assert rows.notices == ["port 8181 is taken by java (77): using 40001"]


def test_a_restart_begins_a_new_duration() -> None:
    rows = Rows()
    for event in UP:
        rows.apply(event)
    row = rows.apply(Event(kind="service", time=T + 60, name="catalog", data={"state": "restarting"}))
    assert row is not None
    assert row.seconds is None
    assert row.elapsed(T + 62) == pytest.approx(2)


def test_plain_lines_one_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainProgress(Output(no_color=True)) as progress:
        for event in UP:
            progress.event(event)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line.split(" ", 1)[1] for line in captured.err.splitlines()]
    assert lines == [
        "◌ starting catalog",
        "port 8181 is taken by java (77): using 40001",
        "● ready catalog (0.80 s) http://127.0.0.1:40001",
        "◌ running provision",
        "✓ done provision (0.30 s)",
    ]
    assert "\x1b" not in captured.err


def test_json_lines_carry_the_schema_version(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonProgress(Output()) as progress:
        for event in UP:
            progress.event(event)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == len(UP)
    assert all(line["schemaVersion"] == 1 for line in lines)
    assert lines[-1]["data"]["seconds"] == 0.3


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with QuietProgress() as progress:
        for event in UP:
            progress.event(event)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("choice", "environ", "tty", "kind"),
    [
        ("auto", {}, True, "LiveProgress"),
        ("auto", {"TERM": "dumb"}, True, "PlainProgress"),
        ("auto", {"CI": "true"}, True, "PlainProgress"),
        ("auto", {}, False, "PlainProgress"),
        ("tty", {}, False, "LiveProgress"),
        ("plain", {}, True, "PlainProgress"),
        ("json", {}, True, "JsonProgress"),
        ("quiet", {}, True, "QuietProgress"),
    ],
)
def test_choice_of_the_view(choice: Choice, environ: dict[str, str], tty: bool, kind: str) -> None:
    view = make_progress(choice, Output(), title="up", environ=environ, tty=tty)
    assert type(view).__name__ == kind


@pytest.mark.parametrize("height", [10, 24, 60])
def test_the_live_view_fits_the_screen(height: int) -> None:
    rows = Rows()
    for event in UP:
        rows.apply(event)
    for i in range(40):
        state = "failed" if i == 3 else "running" if i in (7, 8) else "done" if i < 20 else "waiting"
        rows.apply(Event(kind="asset", time=T, name=f"silver/table_{i}", data={"state": state}))
    screen = io.StringIO()
    console = Console(file=screen, width=80, height=height, color_system=None)
    console.print(draw("up", rows, 3.0, T + 3, height))
    lines = screen.getvalue().splitlines()
    assert len(lines) <= height
    text = "\n".join(lines)
    for name in ("table_3 ", "table_7 ", "table_8 "):
        assert name in text, text
    if height < 40:
        assert "and " in lines[-1]


def test_the_summary_holds_what_the_next_step_needs() -> None:
    rows = Rows()
    for event in UP:
        rows.apply(event)
    text = summary_text(
        Summary(
            project="shop",
            stack="embedded",
            seconds=9.84,
            steps=[*rows.of("service"), *rows.of("step")],
            tables=[("bronze.raw_orders", 5000), ("gold.metrics", None)],
            urls=[("dagster", "http://127.0.0.1:3000")],
            services=["catalog", "dagster-webserver"],
            missing=["gold/new"],
            stale=[],
            sql='./floe sql "from gold.metrics"',
            run="./floe run",
            down="./floe down",
        ),
        color=False,
        unicode=True,
        width=80,
    )
    for wanted in ("5000", "http://127.0.0.1:3000", "./floe sql", "./floe down", "9.84 s", "gold/new", "./floe run"):
        assert wanted in text
    assert max(map(len, text.splitlines())) <= 80
