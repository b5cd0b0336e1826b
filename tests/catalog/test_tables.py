"""Tables over HTTP: create, stage, commit, several at once, drop, purge, rename, register, and where files may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.catalog.conftest import SCHEMA, Space


def path_of(location: str) -> Path:
    return Path(location.removeprefix("file://"))


def set_property(key: str, value: str) -> dict[str, Any]:
    return {"action": "set-properties", "updates": {key: value}}


def change(name: str, *updates: Any, requirements: Any = (), namespace: str = "raw") -> dict[str, Any]:
    identifier = {"namespace": [namespace], "name": name}
    return {"identifier": identifier, "requirements": list(requirements), "updates": list(updates)}


@pytest.fixture
def raw(space: Space) -> Space:
    space.make_namespace("raw")
    return space


def properties(space: Space, name: str) -> dict[str, str]:
    reply = space.send("GET", f"/namespaces/raw/tables/{name}")
    assert reply.status == 200, reply
    found: dict[str, str] = reply.body["metadata"].get("properties", {})
    return found


def test_create_makes_the_folders_duckdb_needs(raw: Space) -> None:
    table = raw.make_table("raw", "t")
    location = path_of(table["metadata"]["location"])
    assert (location / "data").is_dir()
    assert (location / "metadata").is_dir()
    assert path_of(table["metadata-location"]).is_file()


def test_staged_create_changes_nothing_until_it_is_committed(raw: Space) -> None:
    staged = raw.make_table("raw", "t", **{"stage-create": True})
    assert "metadata-location" not in staged
    assert (path_of(staged["metadata"]["location"]) / "data").is_dir()
    assert raw.send("HEAD", "/namespaces/raw/tables/t").status == 404
    assert raw.send("GET", "/namespaces/raw/tables").body["identifiers"] == []
    metadata = staged["metadata"]
    updates = [
        {"action": "assign-uuid", "uuid": metadata["table-uuid"]},
        {"action": "upgrade-format-version", "format-version": 2},
        {"action": "add-schema", "schema": metadata["schemas"][0], "last-column-id": 2},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-spec", "spec": {"spec-id": 0, "fields": []}},
        {"action": "set-default-spec", "spec-id": -1},
        {"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}},
        {"action": "set-default-sort-order", "sort-order-id": -1},
        {"action": "set-location", "location": metadata["location"]},
        set_property("made", "staged"),
    ]
    body = change("t", *updates, requirements=[{"type": "assert-create"}])
    reply = raw.send("POST", "/namespaces/raw/tables/t", body)
    assert reply.status == 200, reply
    assert reply.body["metadata"]["table-uuid"] == metadata["table-uuid"]
    assert reply.body["metadata"]["location"] == metadata["location"]
    assert properties(raw, "t")["made"] == "staged"
    again = raw.send("POST", "/namespaces/raw/tables/t", body)
    assert (again.status, again.error) == (409, "CommitFailedException")


def test_commit_is_applied_to_the_latest_state_where_requirements_hold(raw: Space) -> None:
    table = raw.make_table("raw", "t")
    same = [{"type": "assert-table-uuid", "uuid": table["metadata"]["table-uuid"]}]
    for key in ("a", "b"):
        reply = raw.send("POST", "/namespaces/raw/tables/t", change("t", set_property(key, "1"), requirements=same))
        assert reply.status == 200, reply
    assert properties(raw, "t").items() >= {"a": "1", "b": "1"}.items()


def test_schema_ids_are_given_by_the_server(raw: Space) -> None:
    raw.make_table("raw", "t")
    wider = {**SCHEMA, "fields": [*SCHEMA["fields"], {"id": 3, "name": "x", "required": False, "type": "string"}]}  # type: ignore[misc]
    updates = [
        {"action": "add-schema", "schema": wider, "last-column-id": 3},
        {"action": "set-current-schema", "schema-id": -1},
    ]
    reply = raw.send("POST", "/namespaces/raw/tables/t", change("t", *updates))
    assert reply.status == 200, reply
    metadata = reply.body["metadata"]
    ids = [schema["schema-id"] for schema in metadata["schemas"]]
    assert len(set(ids)) == len(ids) == 2
    current = next(s for s in metadata["schemas"] if s["schema-id"] == metadata["current-schema-id"])
    assert [f["name"] for f in current["fields"]] == ["id", "day", "x"]
    assert metadata["last-column-id"] == 3


def test_removing_an_absent_property_is_no_error(raw: Space) -> None:
    raw.make_table("raw", "t", properties={"a": "1"})
    update = {"action": "remove-properties", "removals": ["a", "never"]}
    assert raw.send("POST", "/namespaces/raw/tables/t", change("t", update)).status == 200
    assert "a" not in properties(raw, "t")


def test_several_tables_change_together_or_not_at_all(raw: Space) -> None:
    for name in ("a", "b"):
        raw.make_table("raw", name)
    before = raw.send("GET", "/namespaces/raw/tables/a").body["metadata-location"]
    wrong = [{"type": "assert-table-uuid", "uuid": str(uuid4())}]
    good, bad = change("a", set_property("x", "1")), change("b", set_property("x", "1"), requirements=wrong)
    reply = raw.send("POST", "/transactions/commit", {"table-changes": [good, bad]})
    assert (reply.status, reply.error) == (409, "CommitFailedException")
    assert raw.send("GET", "/namespaces/raw/tables/a").body["metadata-location"] == before
    folder = path_of(before).parent
    assert [file.name for file in folder.iterdir()] == [path_of(before).name], "a file of the undone commit was left"
    both = [change(name, set_property("x", "1")) for name in ("a", "b")]
    assert raw.send("POST", "/transactions/commit", {"table-changes": both}).status == 204
    assert properties(raw, "a")["x"] == properties(raw, "b")["x"] == "1"


def test_a_transaction_may_create_and_change(raw: Space) -> None:
    raw.make_table("raw", "a")
    staged = raw.make_table("raw", "b", **{"stage-create": True})["metadata"]
    updates = [
        {"action": "assign-uuid", "uuid": staged["table-uuid"]},
        {"action": "upgrade-format-version", "format-version": 2},
        {"action": "add-schema", "schema": staged["schemas"][0]},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-spec", "spec": staged["partition-specs"][0]},
        {"action": "set-default-spec", "spec-id": -1},
        {"action": "add-sort-order", "sort-order": staged["sort-orders"][0]},
        {"action": "set-default-sort-order", "sort-order-id": -1},
        {"action": "set-location", "location": staged["location"]},
    ]
    changes = [
        change("b", *updates, requirements=[{"type": "assert-create"}]),
        change("a", set_property("x", "1")),
    ]
    assert raw.send("POST", "/transactions/commit", {"table-changes": changes}).status == 204
    assert raw.send("HEAD", "/namespaces/raw/tables/b").status == 204


def test_purge_deletes_the_files_and_a_plain_drop_does_not(raw: Space) -> None:
    kept, purged = (path_of(raw.make_table("raw", name)["metadata"]["location"]) for name in ("kept", "purged"))
    assert raw.send("DELETE", "/namespaces/raw/tables/kept").status == 204
    assert list((kept / "metadata").iterdir())
    assert raw.send("DELETE", "/namespaces/raw/tables/purged?purgeRequested=true").status == 204
    assert not purged.exists() or not [file for file in purged.rglob("*") if file.is_file()]


def test_purge_spares_a_table_that_was_renamed_away(raw: Space) -> None:
    raw.make_table("raw", "t")
    rename = {
        "source": {"namespace": ["raw"], "name": "t"},
        "destination": {"namespace": ["raw"], "name": "old"},
    }
    assert raw.send("POST", "/tables/rename", rename).status == 204
    old = path_of(raw.send("GET", "/namespaces/raw/tables/old").body["metadata-location"])
    new = raw.make_table("raw", "t")
    assert path_of(new["metadata"]["location"]) != old.parent.parent, "two tables share a folder"
    assert raw.send("DELETE", "/namespaces/raw/tables/t?purgeRequested=true").status == 204
    assert old.is_file()
    assert raw.send("GET", "/namespaces/raw/tables/old").status == 200


def test_register_takes_a_dropped_table_back(raw: Space) -> None:
    table = raw.make_table("raw", "t", properties={"a": "1"})
    assert raw.send("DELETE", "/namespaces/raw/tables/t").status == 204
    body = {"name": "back", "metadata-location": table["metadata-location"]}
    reply = raw.send("POST", "/namespaces/raw/register", body)
    assert reply.status == 200, reply
    assert reply.body["metadata"]["table-uuid"] == table["metadata"]["table-uuid"]
    assert raw.send("POST", "/namespaces/raw/register", body).status == 409


def test_register_refuses_what_is_no_table(raw: Space, tmp_path: Path) -> None:
    inside = path_of(raw.make_table("raw", "t")["metadata"]["location"]) / "metadata" / "junk.metadata.json"
    for junk in ("", "[]", "{}", json.dumps({"format-version": 2}), "\x00"):
        inside.write_text(junk)
        body = {"name": "junk", "metadata-location": f"file://{inside}"}
        assert raw.send("POST", "/namespaces/raw/register", body).status == 400, junk
    outside = tmp_path / "x.metadata.json"
    outside.write_text("{}")
    reply = raw.send("POST", "/namespaces/raw/register", {"name": "x", "metadata-location": f"file://{outside}"})
    assert reply.status == 403


@pytest.mark.parametrize(
    "location",
    ["file:///etc/floe", "s3://bucket/x", "file://{base}/../other", "file://{base}/raw/../../../x", "file://{base}x/t"],
)
def test_locations_outside_the_catalog_are_refused(raw: Space, location: str) -> None:
    base = raw.server.location(raw.catalog).removeprefix("file://")
    wanted = location.replace("{base}", base)
    body = {"name": "t", "schema": SCHEMA, "location": wanted}
    assert raw.send("POST", "/namespaces/raw/tables", body).status in (400, 403)
    namespace = {"namespace": ["elsewhere"], "properties": {"location": wanted}}
    assert raw.send("POST", "/namespaces", namespace).status in (400, 403)
    raw.make_table("raw", "t")
    move = change("t", {"action": "set-location", "location": wanted})
    assert raw.send("POST", "/namespaces/raw/tables/t", move).status in (400, 403)


def test_rename_keeps_history_and_moves_between_namespaces(raw: Space) -> None:
    raw.make_namespace("silver")
    table = raw.make_table("raw", "t")
    rename = {"source": {"namespace": ["raw"], "name": "t"}, "destination": {"namespace": ["silver"], "name": "u"}}
    assert raw.send("POST", "/tables/rename", rename).status == 204
    assert raw.send("HEAD", "/namespaces/raw/tables/t").status == 404
    moved = raw.send("GET", "/namespaces/silver/tables/u").body
    assert moved["metadata"]["table-uuid"] == table["metadata"]["table-uuid"]
    rename = {"source": {"namespace": ["silver"], "name": "u"}, "destination": {"namespace": ["no"], "name": "u"}}
    assert raw.send("POST", "/tables/rename", rename).error == "NoSuchNamespaceException"


def test_load_answers_304_to_a_client_that_has_it(raw: Space) -> None:
    raw.make_table("raw", "t")
    first = raw.send("GET", "/namespaces/raw/tables/t")
    tag = first.headers.get("etag")
    assert tag
    assert raw.send("GET", "/namespaces/raw/tables/t", headers={"If-None-Match": tag}).status == 304
    assert raw.send("POST", "/namespaces/raw/tables/t", change("t", set_property("a", "1"))).status == 200
    assert raw.send("GET", "/namespaces/raw/tables/t", headers={"If-None-Match": tag}).status == 200


@pytest.mark.parametrize(
    "report",
    [
        {"report-type": "scan-report", "table-name": "raw.t", "snapshot-id": 1, "filter": True, "metrics": {}},
        {"report-type": "commit-report", "table-name": "raw.t", "snapshot-id": 1, "operation": "append", "metrics": {}},
    ],
)
def test_metrics_are_taken(raw: Space, report: dict[str, Any]) -> None:
    raw.make_table("raw", "t")
    assert raw.send("POST", "/namespaces/raw/tables/t/metrics", report).status == 204


def test_credentials_of_a_file_table_are_none(raw: Space) -> None:
    raw.make_table("raw", "t")
    reply = raw.send("GET", "/namespaces/raw/tables/t/credentials")
    assert (reply.status, reply.body) == (200, {"storage-credentials": []})


@pytest.mark.parametrize("kind", ["tables", "views"])
def test_listings_come_in_pages(raw: Space, kind: str) -> None:
    names = [f"n{number}" for number in range(7)]
    for name in names:
        if kind == "tables":
            raw.make_table("raw", name)
        else:
            version = {
                "version-id": 1,
                "timestamp-ms": 1,
                "schema-id": 0,
                "summary": {},
                "representations": [{"type": "sql", "sql": "select 1", "dialect": "duckdb"}],
                "default-namespace": ["raw"],
            }
            body = {"name": name, "schema": SCHEMA, "view-version": version, "properties": {}}
            assert raw.send("POST", "/namespaces/raw/views", body).status == 200
    found: list[str] = []
    token: str | None = ""
    while token is not None:
        page = raw.send("GET", f"/namespaces/raw/{kind}?pageSize=3&pageToken={token}").body
        assert len(page["identifiers"]) <= 3
        found += [identifier["name"] for identifier in page["identifiers"]]
        token = page.get("next-page-token")
    assert sorted(found) == names
    assert len(raw.send("GET", f"/namespaces/raw/{kind}").body["identifiers"]) == 7
    for wrong in ("pageSize=0", "pageSize=x", "pageSize=-1", "pageToken=%C3%A9"):
        assert raw.send("GET", f"/namespaces/raw/{kind}?{wrong}").status == 400, wrong


def test_a_retry_with_the_same_key_is_answered_not_repeated(raw: Space) -> None:
    key = {"Idempotency-Key": "01890a5d-ac96-774b-bcce-b302099a8057"}
    body = {"name": "t", "schema": SCHEMA}
    first = raw.send("POST", "/namespaces/raw/tables", body, headers=key)
    again = raw.send("POST", "/namespaces/raw/tables", body, headers=key)
    assert (first.status, again.status) == (200, 200)
    assert again.body["metadata"]["table-uuid"] == first.body["metadata"]["table-uuid"]
    drop = {"Idempotency-Key": "01890a5d-ac96-774b-bcce-b302099a8058"}
    for _ in range(2):
        assert raw.send("DELETE", "/namespaces/raw/tables/t", headers=drop).status == 204
    assert raw.send("POST", "/namespaces/raw/tables", body, headers={"Idempotency-Key": "x"}).status == 400


def test_a_failed_transaction_with_a_key_stays_failed_and_changes_nothing(raw: Space) -> None:
    for name in ("a", "b"):
        raw.make_table("raw", name)
    key = {"Idempotency-Key": "01890a5d-ac96-774b-bcce-b302099a8059"}
    wrong = [{"type": "assert-table-uuid", "uuid": str(uuid4())}]
    changes = [change("a", set_property("x", "1")), change("b", set_property("x", "1"), requirements=wrong)]
    for _ in range(2):
        reply = raw.send("POST", "/transactions/commit", {"table-changes": changes}, headers=key)
        assert (reply.status, reply.error) == (409, "CommitFailedException")
        assert "x" not in properties(raw, "a")
    other = raw.send("POST", "/transactions/commit", {"table-changes": changes[:1]}, headers=key)
    assert other.status == 422, "the key was used for another request"
    assert "x" not in properties(raw, "a")


def test_only_referenced_snapshots_are_sent_when_asked(raw: Space) -> None:
    table = raw.make_table("raw", "t")["metadata"]
    for number in (1, 2):
        snapshot = {
            "snapshot-id": number,
            "sequence-number": number,
            "timestamp-ms": table["last-updated-ms"] + number,
            "manifest-list": f"{table['location']}/metadata/snap-{number}.avro",
            "summary": {"operation": "append", "floe.run": f"r{number}"},
            "schema-id": 0,
        }
        ref = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": number}
        updates = ({"action": "add-snapshot", "snapshot": snapshot}, ref)
        assert raw.send("POST", "/namespaces/raw/tables/t", change("t", *updates)).status == 200
    everything = raw.send("GET", "/namespaces/raw/tables/t").body["metadata"]
    assert [item["summary"]["floe.run"] for item in everything["snapshots"]] == ["r1", "r2"]
    referenced = raw.send("GET", "/namespaces/raw/tables/t?snapshots=refs").body["metadata"]
    assert [item["snapshot-id"] for item in referenced["snapshots"]] == [2]
    assert raw.send("GET", "/namespaces/raw/tables/t?snapshots=some").status == 400
    gone = raw.send(
        "POST", "/namespaces/raw/tables/t", change("t", {"action": "remove-snapshots", "snapshot-ids": [1]})
    )
    assert [item["snapshot-id"] for item in gone.body["metadata"]["snapshots"]] == [2]


def test_a_snapshot_older_than_the_table_is_a_conflict(raw: Space) -> None:
    table = raw.make_table("raw", "t")["metadata"]

    def append(snapshot_id: int, sequence: int, parent: int | None) -> dict[str, Any]:
        snapshot = {
            "snapshot-id": snapshot_id,
            "sequence-number": sequence,
            "timestamp-ms": table["last-updated-ms"] + sequence,
            "manifest-list": f"{table['location']}/metadata/snap-{snapshot_id}.avro",
            "summary": {"operation": "append"},
            "schema-id": 0,
        }
        if parent is not None:
            snapshot["parent-snapshot-id"] = parent
        ref = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id}
        return change("t", {"action": "add-snapshot", "snapshot": snapshot}, ref)

    assert raw.send("POST", "/namespaces/raw/tables/t", append(1, 1, None)).status == 200
    assert raw.send("POST", "/namespaces/raw/tables/t", append(2, 2, 1)).status == 200
    stale = raw.send("POST", "/namespaces/raw/tables/t", append(3, 2, 1))
    assert (stale.status, stale.error) == (409, "CommitFailedException")
