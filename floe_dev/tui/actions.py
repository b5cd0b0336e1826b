"""What the keys do: materialize, cancel, retry, restart, SQL, copy; the dangerous ones ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from floe_dev.model import commands
from floe_dev.model.details import AssetDetail
from floe_dev.tui.asset import AssetScreen
from floe_dev.tui.base import FloeScreen
from floe_dev.tui.dialogs import ChoiceScreen
from floe_dev.tui.lists import run_title
from floe_dev.tui.navigation import Navigation
from floe_dev.tui.selection import closure
from floe_dev.tui.sql import SqlScreen
from floe_dev.tui.text import inert


class Actions(Navigation):
    """Sends commands for what is selected."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "materialize", "Run it", id="materialize", tooltip="Materialize it, or what is chosen"),
        Binding(
            "R,shift+r",
            "again",
            "Restart, retry",
            key_display="R",
            show=False,
            id="again",
            tooltip="Restart the service, or run again what failed",
        ),
        Binding("x", "cancel", "Cancel run", show=False, id="cancel"),
        Binding("y", "copy", "Copy", show=False, id="copy", tooltip="Copy its name, a query, a command"),
        Binding("colon", "sql", "SQL", key_display=":", show=False, id="sql", tooltip="A line of SQL"),
        Binding(
            "C,shift+c",
            "capsule",
            "Failure capsule",
            key_display="C",
            show=False,
            id="capsule",
            tooltip="Write a failure capsule",
        ),
    ]

    def action_materialize(self) -> None:
        """Run what is selected; a partitioned asset asks for its partitions."""
        screen = self.floe_screen
        if screen is None:
            return
        keys = screen.run_assets()
        if not keys:
            loading = self.backend.state.assets.loading
            self.warn("the assets are still loading" if loading else "select an asset first")
            return
        known = {asset.key: asset for asset in self.backend.state.assets.items}
        first = known.get(keys[0])
        if first is not None and first.state == "source":
            self.warn(f"{inert(keys[0])} is a source: nothing here makes it")
        elif first is not None and first.partitioned:
            partitions = screen.partitions() if isinstance(screen, AssetScreen) else ()
            if partitions:
                self._make_partitions(keys, partitions)
            else:
                self._pick_partitions(screen, keys)
        elif len(keys) > 1:
            self.start_run(commands.Materialize(keys), keys)
        else:
            self._with_neighbours(keys[0])

    def _with_neighbours(self, key: str) -> None:
        """Only this, or with all up- or downstream."""
        state = self.backend.state
        sets: dict[str, tuple[str, ...]] = {"only this": (key,)}
        for name, up in (("with upstream", True), ("with downstream", False)):
            found = closure(state, key, up=up)
            if len(found) > 1:
                sets[f"{name} ({len(found)})"] = found
        if len(sets) == 1 or self.read_only:
            self.start_run(commands.Materialize((key,)), (key,))
            return

        def chosen(choice: list[str] | None) -> None:
            if choice:
                self.start_run(commands.Materialize(sets[choice[0]]), sets[choice[0]])

        options = [(name, f"{'+' if 'up' in name else ''}{key}{'+' if 'down' in name else ''}") for name in sets]
        self.push_screen(ChoiceScreen(f"Materialize {key}", options, values=list(sets)), chosen)

    def _pick_partitions(self, screen: FloeScreen, keys: tuple[str, ...]) -> None:
        """All that are missing, all that failed, all, one, or those chosen with the space bar."""

        def fetched(detail: AssetDetail) -> None:
            # Nobody wants to be asked about what was left meanwhile.
            if self.floe_screen is screen:
                self.push_screen(_partition_choice(keys[0], detail.partitions), chosen)

        def chosen(choice: list[str] | None) -> None:
            if choice:
                self._make_partitions(keys, [one for group in choice for one in group.split("\n")])

        screen.fetch(lambda: self.backend.asset(keys[0]), fetched, self.tell_error, once="partitions")

    def _make_partitions(self, keys: tuple[str, ...], partitions: Sequence[str]) -> None:
        wanted = tuple(dict.fromkeys(partitions))
        if len(wanted) == 1:
            self.start_run(commands.Materialize(keys, wanted[0]), keys)
        else:
            self.act(commands.Backfill(keys, wanted))

    def action_again(self) -> None:
        """Restart the service, or retry the run, that is selected."""
        screen = self.floe_screen
        if screen is None:
            return
        links = screen.links()
        if links.service is not None:
            asking = (f"Restart {links.service}?", "what waits for it fails meanwhile; data stay")
            self.act(commands.RestartService(links.service), asking)
        elif links.run is not None:
            self.start_run(commands.Retry(links.run), links.assets)
        else:
            self.warn("select a service or a run first")

    def action_cancel(self) -> None:
        """Cancel the run that is selected, or that makes the asset that is selected."""
        screen = self.floe_screen
        if screen is None:
            return
        links = screen.links()
        active = [one for one in self.backend.state.runs.items if not one.over]
        run = next((one for one in active if one.run_id == links.run), None) or next(
            (one for one in active if set(one.assets) & set(links.assets)), None
        )
        if run is None:
            self.warn("no run that goes on is selected")
            return
        self.act(commands.Cancel(run.run_id), (f"Cancel the run of {run_title(run)}?", f"{run.run_id}"))

    def action_copy(self) -> None:
        """Copy one of the things that can be copied here; what is shown is short, what is copied works in any shell."""
        here = self.floe_screen.copies() if self.floe_screen is not None else []
        choices = [*here, *self.backend.copies()]

        def chosen(choice: list[str] | None) -> None:
            if choice:
                self.copy_to_clipboard(choice[0])
                self.notify(inert(choice[0]), title="copied", markup=False)

        self.push_screen(ChoiceScreen("Copy", choices, values=[self.portable(text) for _, text in choices]), chosen)

    def action_sql(self) -> None:
        """A line of SQL, on the selected table where there is one."""
        links = self.floe_screen.links() if self.floe_screen is not None else None
        table = links.tables[0] if links is not None and links.tables else None
        self.push_screen(SqlScreen(f"from {table} limit 20" if table else ""))

    def action_capsule(self) -> None:
        """Write all that explains a failure into one file, after asking; the title names the run that is selected."""
        links = self.floe_screen.links() if self.floe_screen is not None else None
        run = next(
            (one for one in self.backend.state.runs.items if links is not None and one.run_id == links.run), None
        )
        title = f"run {run.run_id[:8]} of {run_title(run)}: {run.status}" if run is not None else ""
        asking = (
            "Write a failure capsule?",
            "status, configuration, logs, spans and metadata in one zip; no secrets, no rows of tables",
            title,
        )
        question = [line for line in asking if line]
        self.act(commands.ExportCapsule(title), question, meanwhile="the capsule is being written …")


def _partition_choice(key: str, partitions: Sequence[tuple[str, str]]) -> ChoiceScreen:
    """Groups first, then each partition, newest first; a group's value holds its partitions, one a line."""
    rows: list[tuple[str, str]] = []
    values: list[str] = []
    for name, states in (("missing", ("missing",)), ("failed", ("failed",)), ("", ("missing", "failed", "fresh"))):
        group = [one for one, state in reversed(partitions) if state in states]
        if len(group) > 1:
            rows.append((f"all {len(group)} {name}".strip(), f"{group[0]} … {group[-1]}"))
            values.append("\n".join(group))
    rows += [({"missing": "never"}.get(state, state), one) for one, state in partitions]
    values += [one for one, _ in partitions]
    return ChoiceScreen(f"Which partitions of {key}?", rows, values=values, several=True)
