"""`floe schema`: the JSON Schemas of the configuration files, for editors."""

from __future__ import annotations

import json

import click

from floe_dev.cli.options import pass_output
from floe_dev.cli.output import Output


@click.command(short_help="Print the JSON Schema of a configuration file.")
@click.argument("file", type=click.Choice(["floe", "platform", "stack", "compiled"]))
@pass_output
def command(output: Output, file: str) -> None:
    """Print the JSON Schema of floe.yaml, platform.yaml, a stack's file or compiled artifacts.

    An editor with the YAML language server uses it through a first line such as
    `# yaml-language-server: $schema=.floe/floe.schema.json`.
    """
    from floe_dev.config.schema import json_schema

    output.data(json.dumps(json_schema(file), indent=2))
