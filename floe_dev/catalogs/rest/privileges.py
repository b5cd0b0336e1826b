"""The privileges of Polaris's management API and which of them include which.

The names are those of the Polaris Management Service (apache-polaris 1.8); the inclusions follow what it documents:
CATALOG_MANAGE_CONTENT covers everything below a catalog, *_FULL_METADATA all but data, writing includes reading.
"""

from __future__ import annotations

NAMESPACE = ("CREATE", "DROP", "LIST", "READ_PROPERTIES", "WRITE_PROPERTIES", "FULL_METADATA")
VIEW = NAMESPACE
FINE_GRAINED = (
    "ASSIGN_UUID",
    "UPGRADE_FORMAT_VERSION",
    "ADD_SCHEMA",
    "SET_CURRENT_SCHEMA",
    "ADD_PARTITION_SPEC",
    "ADD_SORT_ORDER",
    "SET_DEFAULT_SORT_ORDER",
    "ADD_SNAPSHOT",
    "SET_SNAPSHOT_REF",
    "REMOVE_SNAPSHOTS",
    "REMOVE_SNAPSHOT_REF",
    "SET_LOCATION",
    "SET_PROPERTIES",
    "REMOVE_PROPERTIES",
    "SET_STATISTICS",
    "REMOVE_STATISTICS",
    "REMOVE_PARTITION_SPECS",
    "MANAGE_STRUCTURE",
)
TABLE = (*NAMESPACE, "READ_DATA", "WRITE_DATA", *FINE_GRAINED)

_NAMESPACE = {f"NAMESPACE_{p}" for p in NAMESPACE}
_TABLE = {f"TABLE_{p}" for p in TABLE}
_VIEW = {f"VIEW_{p}" for p in VIEW}
_NOT_IMPLEMENTED = {
    f"{kind}_{p}"
    for kind in ("POLICY", "SEMANTIC_MODEL")
    for p in ("CREATE", "WRITE", "READ", "DROP", "LIST", "FULL_METADATA", "MANAGE_GRANTS_ON_SECURABLE")
} | {f"{kind}_{verb}_POLICY" for kind in ("CATALOG", "NAMESPACE", "TABLE") for verb in ("ATTACH", "DETACH")}

#: What can be granted on which kind of securable.
GRANTABLE: dict[str, frozenset[str]] = {
    "catalog": frozenset(
        {
            "CATALOG_MANAGE_ACCESS",
            "CATALOG_MANAGE_CONTENT",
            "CATALOG_MANAGE_METADATA",
            "CATALOG_READ_PROPERTIES",
            "CATALOG_WRITE_PROPERTIES",
            *_NAMESPACE,
            *_TABLE,
            *_VIEW,
            *_NOT_IMPLEMENTED,
        }
    ),
    "namespace": frozenset(
        {
            "CATALOG_MANAGE_ACCESS",
            "CATALOG_MANAGE_CONTENT",
            "CATALOG_MANAGE_METADATA",
            *_NAMESPACE,
            *_TABLE,
            *_VIEW,
            *_NOT_IMPLEMENTED,
        }
    ),
    "table": frozenset({"CATALOG_MANAGE_ACCESS", *(_TABLE - {"TABLE_CREATE"}), *_NOT_IMPLEMENTED}),
    "view": frozenset({"CATALOG_MANAGE_ACCESS", *(_VIEW - {"VIEW_CREATE"})}),
}

_METADATA = (_NAMESPACE | _TABLE | _VIEW) - {"TABLE_READ_DATA", "TABLE_WRITE_DATA"}
_FINE = {f"TABLE_{p}" for p in FINE_GRAINED}
_STRUCTURE = _FINE - {"TABLE_ADD_SNAPSHOT", "TABLE_SET_SNAPSHOT_REF"}


def _reading(kind: str) -> set[str]:
    return {f"{kind}_LIST", f"{kind}_READ_PROPERTIES"}


#: privilege -> everything it includes besides itself.
INCLUDES: dict[str, frozenset[str]] = {
    "CATALOG_MANAGE_CONTENT": frozenset(
        _NAMESPACE | _TABLE | _VIEW | {"CATALOG_READ_PROPERTIES", "CATALOG_WRITE_PROPERTIES", "CATALOG_MANAGE_METADATA"}
    ),
    "CATALOG_MANAGE_METADATA": frozenset(_METADATA | {"CATALOG_READ_PROPERTIES", "CATALOG_WRITE_PROPERTIES"}),
    "CATALOG_WRITE_PROPERTIES": frozenset({"CATALOG_READ_PROPERTIES"}),
    "NAMESPACE_FULL_METADATA": frozenset(_NAMESPACE),
    "TABLE_FULL_METADATA": frozenset(_TABLE - {"TABLE_READ_DATA", "TABLE_WRITE_DATA"}),
    "VIEW_FULL_METADATA": frozenset(_VIEW),
    "TABLE_WRITE_DATA": frozenset({"TABLE_READ_DATA", "TABLE_WRITE_PROPERTIES", *_FINE, *_reading("TABLE")}),
    "TABLE_READ_DATA": frozenset(_reading("TABLE")),
    "TABLE_MANAGE_STRUCTURE": frozenset(_STRUCTURE),
    "TABLE_WRITE_PROPERTIES": frozenset({*_FINE, *_reading("TABLE")}),
    "VIEW_WRITE_PROPERTIES": frozenset(_reading("VIEW")),
    "NAMESPACE_WRITE_PROPERTIES": frozenset(_reading("NAMESPACE")),
    "TABLE_READ_PROPERTIES": frozenset({"TABLE_LIST"}),
    "VIEW_READ_PROPERTIES": frozenset({"VIEW_LIST"}),
    "NAMESPACE_READ_PROPERTIES": frozenset({"NAMESPACE_LIST"}),
    "TABLE_CREATE": frozenset({"TABLE_LIST"}),
    "VIEW_CREATE": frozenset({"VIEW_LIST"}),
    "NAMESPACE_CREATE": frozenset({"NAMESPACE_LIST"}),
}


def satisfied_by(privilege: str) -> frozenset[str]:
    """Every privilege that, granted, permits what `privilege` permits."""
    return _SATISFIED_BY[privilege]


_SATISFIED_BY = {
    privilege: frozenset({privilege, *(p for p, included in INCLUDES.items() if privilege in included)})
    for privilege in GRANTABLE["catalog"]
}
