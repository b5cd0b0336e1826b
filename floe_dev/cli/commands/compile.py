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
@click.option("--package", is_flag=True, help="Copy the dbt project beside FILE too, for a deployment without sources.")
@project_option
@pass_output
def command(output: Output, file: Path | None, package: bool, root: Path) -> None:
    """Write CompiledArtifacts: both configuration files resolved, dbt's manifest and profile, the asset graph, hashes.

    The same inputs give the same bytes. No stack need run. `floe schema compiled` prints the format.
    """
    from floe_dev.compile.artifacts import compile_project, package_dbt, text_of, write_artifacts
    from floe_dev.session import Session

    if package and file is None:
        raise click.UsageError("--package needs --output: the dbt project is copied beside that file")
    project = Session(root).project
    packaged = f"{file.stem}.dbt" if package and file is not None and project.dbt_dir() is not None else None
    artifacts = compile_project(project, packaged)
    if file is None:
        output.data(text_of(artifacts), end="")
        return
    write_artifacts(artifacts, file)
    if packaged is not None:
        output.say(f"{file.parent / packaged}: {package_dbt(project, file.parent / packaged)} files of the dbt project")
    output.say(f"{file}: {len(artifacts.assets)} assets, sha256 {artifacts.content_hash}")
