"""A real lakehouse in every test: the pytest plugin, its session's catalog and assertions on tables."""
