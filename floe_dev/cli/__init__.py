"""The command line: chooses a project, calls the session, shows what happened. Data on stdout, narration on stderr."""
