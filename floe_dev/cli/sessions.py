"""What a command reads: the project's session, or that of a capsule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from floe_dev.cli.naming import remember_capsule
from floe_dev.cli.output import Output

if TYPE_CHECKING:
    from floe_dev.session import Session
    from floe_dev.telemetry.join import Join


def session_of(output: Output, root: Path) -> Session:
    """The session of the project at `root`; with `--capsule`, one that only remembers."""
    if output.capsule is not None:
        from floe_dev.capsule.offline import OfflineSession

        return OfflineSession(root)
    from floe_dev.session import Session

    return Session(root)


def joined(output: Output, session: Session, **options: Any) -> Join:
    """`Session.join`, with a word about who did not answer."""
    join = session.join(**options)
    for what in join.missing:
        output.say(f"incomplete: {what}", "yellow")
    return join


def open_capsule(output: Output, file: Path) -> Path:
    """Unpack a capsule for as long as this command runs; its folder. Raises FloeError 7201, 7202, 7203."""
    import shutil
    import tempfile

    import click

    from floe_dev.capsule.reader import unpack

    folder = Path(tempfile.mkdtemp(prefix="floe-capsule-"))
    click.get_current_context().call_on_close(lambda: shutil.rmtree(folder, ignore_errors=True))
    remember_capsule(folder, file)
    unpack(file, folder)
    output.capsule = file
    return folder
