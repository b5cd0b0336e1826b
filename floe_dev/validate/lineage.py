"""Lineage has no gap: whatever an asset is made from is made by another asset, or is a table of the catalog."""

from __future__ import annotations

from floe_dev.validate.result import Findings, Subject, failed, ok


def check(name: str, subject: Subject) -> Findings:
    """One finding for each upstream that nothing makes."""
    assets = [asset for asset in subject.assets if asset.materializable]
    known = {asset.key for asset in assets} | {table.identifier.replace(".", "/") for table in subject.tables}
    gaps = [(asset.key, upstream) for asset in assets for upstream in asset.depends_on if upstream not in known]
    for key, upstream in gaps:
        yield failed(
            name,
            f"{key} is made from {upstream}, which no asset makes and the catalog does not have",
            f"write an asset with the key {upstream}, or correct the source that {key} reads",
        )
    if not gaps:
        links = sum(len(asset.depends_on) for asset in assets)
        yield ok(name, f"{links} links between {len(assets)} assets, each from something that exists")
