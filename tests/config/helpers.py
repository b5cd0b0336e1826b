"""Projects written for one test."""

from __future__ import annotations

from pathlib import Path

FLOE = """\
name: shop
version: "1.0.0"
storage: bronze
catalog: default
compute: default
orchestration:
  asset_modules: [shop.assets]
  dbt: {select: "tag:nightly", exclude: "tag:slow"}
  partitions:
    day: {type: daily, start: "2024-01-01", timezone: Europe/Berlin}
  assets:
    facts: {select: "group:facts", partitions: day, group: facts}
  jobs:
    nightly: {select: "*", partitions: day}
  schedules:
    every_night: {job: nightly, cron: "0 3 * * *", enabled: true}
  sensors:
    landing: {type: file, job: nightly, path: landing}
  backfills:
    year: {policy: single_run, max_partitions_per_run: 30}
service_account: shop-runner
principal_role: shop_engineer
"""

PLATFORM = """\
version: "1.0.0"
storage:
  bronze:
    type: s3
    endpoint: http://127.0.0.1:9000
    region: us-east-1
    bucket: bronze
    path_style_access: true
    credentials: {mode: static, secret_ref: aws-credentials}
layers:
  bronze: {name: Bronze, storage_ref: bronze, catalog_ref: default, namespace: raw}
  silver: {storage_ref: bronze, catalog_ref: default}
catalogs:
  default:
    type: polaris
    uri: http://127.0.0.1:8181/api/catalog
    warehouse: demo_catalog
    credentials:
      mode: oauth2
      client_id: {secret_ref: polaris-client-id}
      client_secret: {secret_ref: polaris-client-secret}
      scope: "PRINCIPAL_ROLE:ALL"
    access_delegation: none
    token_refresh_enabled: true
compute:
  default: {type: duckdb, properties: {path: ":memory:", threads: 4}}
observability: {traces: true, lineage: true, otlp_endpoint: http://127.0.0.1:4318}
"""


def write_project(root: Path, floe: str = FLOE, platform: str = PLATFORM) -> Path:
    """A project in `root`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "floe.yaml").write_text(floe, encoding="utf-8")
    (root / "platform.yaml").write_text(platform, encoding="utf-8")
    return root
