"""The receiver of traces, logs, metrics and lineage, its store, and the questions that the store answers."""
