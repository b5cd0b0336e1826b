"""`floe env`: the settings that let other programs reach the stack. The one command that prints secrets."""

from __future__ import annotations

from pathlib import Path

import click

from floe_dev.cli.naming import floe_command, localize
from floe_dev.cli.options import pass_output, project_option
from floe_dev.cli.output import Output
from floe_dev.cli.render.clients import CLIENTS, FORMATS, client_text, dbt_text, environment_text


@click.command(name="env", short_help="Print settings and secrets for clients.")
@click.option("--format", "form", type=click.Choice(FORMATS), default=None, help="How variables are written.  [shell]")
@click.option(
    "--for", "client", type=click.Choice(("dbt", *CLIENTS)), default=None, help="A client's configuration instead."
)
@click.option(
    "--principal",
    type=click.Choice(["floe", "reader"]),
    default="floe",
    show_default=True,
    help="Whose credentials; the reader cannot write.",
)
@project_option
@pass_output
def command(output: Output, form: str | None, client: str | None, principal: str, root: Path) -> None:
    """Print the stack's settings, secrets included.

    \b
    eval "$(floe env)"
    floe env --format dotenv > .env
    floe env --for pyiceberg > ~/.pyiceberg.yaml
    """  # noqa: D301 - click's mark for lines it must not join
    if form is not None and client is not None:
        raise click.UsageError("--format and --for exclude each other")
    from floe_dev.session import Session

    session = Session(root)
    if client is not None:
        connection = session.connection(principal)
        text = dbt_text(session.project) if client == "dbt" else client_text(client, connection)
        output.data(localize(text, root))
        return
    output.data(environment_text(session.environment(principal), form or "shell"))
    if form is None:
        output.say(f'# to set them in this shell: eval "$({floe_command("env", project=root)})"')
