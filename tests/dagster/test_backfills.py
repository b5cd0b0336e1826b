"""Canceling a backfill where Dagster forgets that it was asked; the rest is seen on a real stack (tests/tui)."""

from __future__ import annotations

from typing import Any

import pytest

from floe_dev.errors import Code, FloeError
from floe_dev.orchestrators.dagster.client import DagsterClient
from floe_dev.orchestrators.dagster.instigators import cancel_backfill


class Forgetful(DagsterClient):
    """Answers with these states one after another, the last one for good."""

    def __init__(self, *states: str, refusal: str = "") -> None:
        super().__init__("http://127.0.0.1:1")
        self.states = list(states)
        self.refusal = refusal
        self.asked = 0
        #: Runs that go on after the backfill is canceled.
        self.going: list[str] = []

    def query(self, text: str, /, **variables: Any) -> dict[str, Any]:
        if "terminateRun" in text:
            self.going.remove(variables["run"])
            return {"terminateRun": {"__typename": "TerminateRunSuccess"}}
        if "runsOrError" in text:
            assert variables == {"tags": [{"key": "dagster/backfill", "value": "abcdefgh"}]}
            return {
                "runsOrError": {"results": [{"runId": run, "assetSelection": [], "tags": []} for run in self.going]}
            }
        assert variables == {"id": "abcdefgh"}
        if "cancelPartitionBackfill" in text:
            self.asked += 1
            kind = "PythonError" if self.refusal else "CancelBackfillSuccess"
            return {"cancelPartitionBackfill": {"__typename": kind, "message": self.refusal}}
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"partitionBackfillOrError": {"status": state}}


def test_a_request_that_is_forgotten_is_made_again() -> None:
    dagster = Forgetful("CANCELING", "REQUESTED", "CANCELING", "CANCELED")
    assert cancel_backfill(dagster, "abcdefgh") == "canceled"
    assert dagster.asked == 2


def test_a_run_that_dagster_left_going_is_canceled() -> None:
    dagster = Forgetful("CANCELING", "CANCELED")
    dagster.going = ["one", "two"]
    assert cancel_backfill(dagster, "abcdefgh") == "canceled"
    assert dagster.going == []


def test_runs_that_go_on_after_all_are_told() -> None:
    dagster = Forgetful("CANCELED")
    dagster.going = ["one", "two"]
    assert cancel_backfill(dagster, "abcdefgh", patience_seconds=0.0) == "canceled, but 2 runs go on"


def test_one_that_ended_by_itself_is_not_told_as_canceled() -> None:
    assert cancel_backfill(Forgetful("COMPLETED_SUCCESS"), "abcdefgh") == "completed success"


def test_one_that_takes_longer_is_not_waited_for() -> None:
    assert cancel_backfill(Forgetful("CANCELING"), "abcdefgh", patience_seconds=0.0) == "canceling"


def test_a_refusal_is_told_in_dagsters_words() -> None:
    with pytest.raises(FloeError) as refused:
        cancel_backfill(Forgetful("REQUESTED", refusal="there is no such backfill"), "abcdefgh")
    assert refused.value.code is Code.DAGSTER_UNREACHABLE
    assert "no such backfill" in (refused.value.why or "")
