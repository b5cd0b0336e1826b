"""`floe compile`: the project as one file for its deployment."""

from __future__ import annotations

from pathlib import Path

import click

from floe_dev.cli.options import pass_output, project_option
from floe_dev.cli.output import Output


@click.command(short_help="Write the project as one file, without secrets.")
@click.option(
    "--output",
    "-o",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar="FILE",
    help="The file to write; stdout if absent.",
)
@project_option
@pass_output
def command(output: Output, file: Path | None, root: Path) -> None:
    """Write CompiledArtifacts: both configuration files resolved, dbt's manifest and profile, the asset graph, hashes.

    The same inputs give the same bytes. No stack need run. `floe schema compiled` prints the format.
    """
    from floe_dev.compile.artifacts import compile_project, text_of, write_artifacts
    from floe_dev.session import Session

    artifacts = compile_project(Session(root).project)
    if file is None:
        output.data(text_of(artifacts), end="")
        return
    write_artifacts(artifacts, file)
    output.say(f"{file}: {len(artifacts.assets)} assets, sha256 {artifacts.content_hash}")
