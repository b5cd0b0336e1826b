"""`floe completion SHELL`: the script that teaches a shell to complete floe's commands and options."""

from __future__ import annotations

import click

from floe_dev.cli.options import pass_output
from floe_dev.cli.output import Output


@click.command(short_help="Print the shell's completion script.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_output
def command(output: Output, shell: str) -> None:
    """Print the completion script of a shell, to be evaluated in its start-up file.

    \b
    bash: floe completion bash > ~/.local/share/bash-completion/completions/floe
    zsh:  eval "$(floe completion zsh)"     in ~/.zshrc
    fish: floe completion fish > ~/.config/fish/completions/floe.fish
    """  # noqa: D301 - click's mark for lines it must not join
    from click.shell_completion import get_completion_class

    from floe_dev.cli.program import cli

    found = get_completion_class(shell)
    assert found is not None, shell
    # `source_vars` and the template, not `source()`: that one starts bash to learn its version, needlessly here.
    complete = found(cli, {}, "floe", "_FLOE_COMPLETE")
    output.data((complete.source_template % complete.source_vars()).strip())
