"""Random sequences of operations, compared after each with a model that is a few dictionaries."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.catalog.conftest import SCHEMA, Space
from tests.catalog.server import RunningCatalog
from tests.catalog.test_views import version

Namespace = tuple[str, ...]
LEVELS = st.sampled_from(["a", "b", "a.b"])
NAMESPACES = st.lists(LEVELS, min_size=1, max_size=2).map(tuple)
NAMES = st.sampled_from(["t", "u", "a.b"])
KINDS = st.sampled_from(["tables", "views"])
KEYS = st.sampled_from(["k", "l"])


def path(namespace: Namespace) -> str:
    return "/namespaces/" + quote("\x1f".join(namespace), safe="")


class CatalogMachine(RuleBasedStateMachine):
    """Each rule sends a request and says from the model which status it must have."""

    server: RunningCatalog

    @initialize()
    def start(self) -> None:
        name = f"m_{uuid4().hex[:10]}"
        self.server.add_catalog(name)
        owner = self.server.add_principal(f"owner_{name}", name, "CATALOG_MANAGE_CONTENT")
        self.space = Space(self.server, name, owner)
        #: Namespace -> kind -> name -> properties.
        self.model: dict[Namespace, dict[str, dict[str, dict[str, str]]]] = {}

    def expect(self, status: int, method: str, target: str, body: Any = None) -> Any:
        reply = self.space.send(method, target, body)
        assert reply.status == status, (method, target, body, reply)
        return reply.body

    def taken(self, namespace: Namespace, name: str) -> bool:
        return any(name in self.model[namespace][kind] for kind in ("tables", "views"))

    @rule(namespace=NAMESPACES)
    def create_namespace(self, namespace: Namespace) -> None:
        if len(namespace) > 1 and namespace[:-1] not in self.model:
            self.expect(404, "POST", "/namespaces", {"namespace": namespace})
            return
        self.expect(409 if namespace in self.model else 200, "POST", "/namespaces", {"namespace": namespace})
        self.model.setdefault(namespace, {"tables": {}, "views": {}})

    @rule(namespace=NAMESPACES)
    def drop_namespace(self, namespace: Namespace) -> None:
        if namespace not in self.model:
            self.expect(404, "DELETE", path(namespace))
            return
        children = any(len(other) > len(namespace) and other[: len(namespace)] == namespace for other in self.model)
        if children or any(self.model[namespace].values()):
            self.expect(409, "DELETE", path(namespace))
        else:
            self.expect(204, "DELETE", path(namespace))
            del self.model[namespace]

    @rule(namespace=NAMESPACES, name=NAMES, kind=KINDS)
    def create(self, namespace: Namespace, name: str, kind: str) -> None:
        body: dict[str, Any] = {"name": name, "schema": SCHEMA, "properties": {}}
        if kind == "views":
            body["view-version"] = version()
        if namespace not in self.model:
            self.expect(404, "POST", f"{path(namespace)}/{kind}", body)
            return
        taken = self.taken(namespace, name)
        self.expect(409 if taken else 200, "POST", f"{path(namespace)}/{kind}", body)
        if not taken:
            self.model[namespace][kind][name] = {}

    @rule(namespace=NAMESPACES, name=NAMES, kind=KINDS, purge=st.booleans())
    def drop(self, namespace: Namespace, name: str, kind: str, purge: bool) -> None:
        target = f"{path(namespace)}/{kind}/{name}" + ("?purgeRequested=true" if purge else "")
        exists = name in self.model.get(namespace, {}).get(kind, {})
        self.expect(204 if exists else 404, "DELETE", target)
        if exists:
            del self.model[namespace][kind][name]

    @rule(source=NAMESPACES, name=NAMES, goal=NAMESPACES, new=NAMES, kind=KINDS)
    def rename(self, source: Namespace, name: str, goal: Namespace, new: str, kind: str) -> None:
        body = {"source": {"namespace": source, "name": name}, "destination": {"namespace": goal, "name": new}}
        exists = name in self.model.get(source, {}).get(kind, {})
        if not exists or goal not in self.model:
            self.expect(404, "POST", f"/{kind}/rename", body)
        elif (source, name) == (goal, new):
            # Onto itself: whether that is a conflict or nothing to do is left open.
            assert self.space.send("POST", f"/{kind}/rename", body).status in (204, 409)
        elif self.taken(goal, new):
            self.expect(409, "POST", f"/{kind}/rename", body)
        else:
            self.expect(204, "POST", f"/{kind}/rename", body)
            self.model[goal][kind][new] = self.model[source][kind].pop(name)

    @rule(namespace=NAMESPACES, name=NAMES, kind=KINDS, key=KEYS, value=st.integers(0, 9).map(str))
    def commit(self, namespace: Namespace, name: str, kind: str, key: str, value: str) -> None:
        body = {
            "identifier": {"namespace": namespace, "name": name},
            "requirements": [],
            "updates": [{"action": "set-properties", "updates": {key: value}}],
        }
        exists = name in self.model.get(namespace, {}).get(kind, {})
        self.expect(200 if exists else 404, "POST", f"{path(namespace)}/{kind}/{name}", body)
        if exists:
            self.model[namespace][kind][name][key] = value

    @rule(
        namespace=NAMESPACES,
        names=st.lists(NAMES, min_size=1, max_size=3, unique=True),
        value=st.integers(0, 9).map(str),
    )
    def commit_several(self, namespace: Namespace, names: list[str], value: str) -> None:
        tables = self.model.get(namespace, {}).get("tables", {})
        changes = [
            {
                "identifier": {"namespace": namespace, "name": name},
                "requirements": [],
                "updates": [{"action": "set-properties", "updates": {"k": value}}],
            }
            for name in names
        ]
        complete = all(name in tables for name in names)
        self.expect(204 if complete else 404, "POST", "/transactions/commit", {"table-changes": changes})
        if complete:
            for name in names:
                tables[name]["k"] = value

    @invariant()
    def listings_are_those_of_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        top = {tuple(namespace) for namespace in self.expect(200, "GET", "/namespaces")["namespaces"]}
        assert top == {namespace for namespace in self.model if len(namespace) == 1}
        for namespace, kinds in self.model.items():
            for kind, members in kinds.items():
                listed = self.expect(200, "GET", f"{path(namespace)}/{kind}")["identifiers"]
                assert sorted(item["name"] for item in listed) == sorted(members)
                assert all(tuple(item["namespace"]) == namespace for item in listed)
                for name, properties in members.items():
                    found = self.expect(200, "GET", f"{path(namespace)}/{kind}/{name}")["metadata"]
                    assert found.get("properties", {}).items() >= properties.items()


@pytest.fixture
def machine(server: RunningCatalog) -> type[CatalogMachine]:
    return type("Machine", (CatalogMachine,), {"server": server})


def test_random_sequences(machine: type[CatalogMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=30, deadline=None))
