"""What Dagster's processes share, apart from everything else, so that the supervisor can have it imported at once."""

#: What the fork server imports, in order: first what all share, then what the web server waits for, then the rest.
PRELOAD = ("dagster", "dagster._cli.api", "dagster_dbt")
