"""`python -m floe_dev.catalogs.rest`: the catalog server as a process."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from floe_dev.catalogs.rest.settings import StoreAccess

ROOT_CREDENTIALS = "POLARIS_BOOTSTRAP_CREDENTIALS"
SIGNING_KEY = "FLOE_CATALOG_SIGNING_KEY"


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop; exit code 2 for settings that cannot work."""
    parser = argparse.ArgumentParser(prog="python -m floe_dev.catalogs.rest", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    place = "SQLite file, made if it is missing, or postgresql://… (password in PGPASSWORD)"
    parser.add_argument("--database", required=True, help=place)
    parser.add_argument("--workers", type=int, default=1, help="processes, with PostgreSQL alone")
    parser.add_argument("--warehouse", type=Path, required=True, help="folder of catalogs created without a location")
    parser.add_argument(
        "--s3-endpoint", help="object store of catalogs at s3://; its keys are AWS_ACCESS_KEY_ID and so on"
    )
    parser.add_argument("--instance", default="", help="echoed in every answer as X-Floe-Instance")
    options = parser.parse_args(argv)
    if options.workers > 1 and not options.database.startswith("postgresql://"):
        parser.error("--workers needs a database for several processes: --database postgresql://…")
    # Taken out of the environment, so that nothing this process might start inherits them.
    # The realm is Polaris's; there is one here.
    credentials = os.environ.pop(ROOT_CREDENTIALS, "").split(",", 2)
    if len(credentials) != 3 or not all(credentials):
        parser.error(f"{ROOT_CREDENTIALS} must be <realm>,<client id>,<client secret>")
    key = os.environ.pop(SIGNING_KEY, "")
    if key and len(key) < 16:
        parser.error(f"{SIGNING_KEY} must have at least 16 characters")

    from floe_dev.catalogs.rest.serve import serve
    from floe_dev.catalogs.rest.settings import Settings
    from floe_dev.tracing.spool import configure_from_environment

    configure_from_environment("catalog")
    settings = Settings(
        database=options.database,
        warehouse=options.warehouse,
        instance=options.instance,
        root_client_id=credentials[1],
        root_client_secret=credentials[2],
        signing_key=key.encode() or secrets.token_bytes(32),
        store=_store(options.s3_endpoint, parser),
    )
    return serve(settings, [(options.host, options.port)], options.workers)


def _store(endpoint: str | None, parser: argparse.ArgumentParser) -> StoreAccess | None:
    if not endpoint:
        return None
    from floe_dev.catalogs.rest.settings import StoreAccess
    from floe_dev.storage.base import StoreCredential
    from floe_dev.storage.minio import REGION

    access_key, secret = os.environ.pop("AWS_ACCESS_KEY_ID", ""), os.environ.pop("AWS_SECRET_ACCESS_KEY", "")
    if not access_key or not secret:
        parser.error("--s3-endpoint needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return StoreAccess(StoreCredential(access_key, secret), os.environ.get("AWS_REGION") or REGION, endpoint)


if __name__ == "__main__":
    sys.exit(main())
