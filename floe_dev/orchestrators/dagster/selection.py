"""Dagster's asset selection syntax, resolved by Dagster itself on the assets the web server knows."""

from __future__ import annotations

from collections.abc import Sequence

from floe_dev.errors import Code, FloeError
from floe_dev.model.runs import AssetStatus


def resolve(selection: Sequence[str], assets: Sequence[AssetStatus]) -> list[str]:
    """The keys of the materializable assets that the parts of `selection` name together; all of them if it is empty.

    A part is an asset's key (`gold/metrics`, or as a table is named, `gold.metrics`) or Dagster's selection syntax.

    Raises:
        FloeError: FLOE5002 if a part is not understood or names nothing.
    """
    can = {asset.key for asset in assets if asset.materializable}
    if not selection or tuple(selection) == ("*",):
        return sorted(can)
    chosen: set[str] = set()
    for part in selection:
        named = part if part in can else part.replace(".", "/")
        found = {named} if named in can else _by_dagster(part, assets) & can
        if not found:
            raise _nothing(part, can)
        chosen |= found
    return sorted(chosen)


def _by_dagster(part: str, assets: Sequence[AssetStatus]) -> set[str]:
    # The specs carry all that the syntax can ask for, so the project's own code need not be imported here.
    import warnings

    import dagster as dg

    def spec(asset: AssetStatus) -> dg.AssetSpec:
        return dg.AssetSpec(
            dg.AssetKey(asset.key.split("/")),
            deps=[dg.AssetKey(key.split("/")) for key in asset.depends_on],
            group_name=asset.group,
            tags=asset.tags,
            kinds=set(asset.kinds),
            owners=list(asset.owners),
        )

    # Under a function that never runs they count as materializable; Dagster leaves all others out of `upstream`.
    made = [spec(asset) for asset in assets if asset.materializable]
    sources = [spec(asset) for asset in assets if not asset.materializable]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            definitions = dg.Definitions(
                assets=[dg.multi_asset(name="floe_selection", specs=made, can_subset=True)(lambda: None), *sources]
            )
            keys = dg.AssetSelection.from_string(part).resolve(definitions.resolve_asset_graph())
    except dg.DagsterInvalidSubsetError:
        return set()
    except Exception as error:
        raise FloeError(
            Code.RUN_NOT_STARTED,
            f"the selection {part!r} is not understood",
            why=str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
            fix="floe run 'key:\"gold/metrics\"+', say",
        ) from error
    return {"/".join(key.path) for key in keys}


def _nothing(part: str, can: set[str]) -> FloeError:
    import difflib

    near = difflib.get_close_matches(part.replace(".", "/"), sorted(can), 3)
    return FloeError(
        Code.RUN_NOT_STARTED,
        f"the selection {part!r} names no asset that can be materialized",
        why=f"nearest: {', '.join(near)}" if near else f"there are {len(can)} assets",
        fix=f"floe run {near[0]}" if near else "floe run",
    )
