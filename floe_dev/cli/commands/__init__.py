"""One module for each command or small family of commands; loaded only when the command is used."""
