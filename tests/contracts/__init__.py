"""Every orchestrator, compute, catalog and storage that floe brings, held to the contract of its kind."""
