"""Read-only watchers: each looks at one source in a thread of its own and writes one slice of the `State`."""
