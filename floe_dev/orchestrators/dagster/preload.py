"""What Dagster's processes share, apart from everything else, so that the supervisor can have it imported at once."""

#: What the fork server imports, in order: first what all share, then what the web server waits for, then the rest.
#: The storages bring SQLAlchemy with them, which every one of the processes needs: imported here its memory is shared.
PRELOAD = (
    "dagster",
    "dagster._cli.api",
    "dagster._core.storage.runs",
    "floe_dev.orchestrators.dagster.sqlite",
    "dagster_dbt",
)

#: What it imports once the stack is ready: dbt itself, for the parse after each save and for the runs.
LATER = ("dbt.cli.main", "floe_dev.dbt.warm")
