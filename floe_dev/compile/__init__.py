"""From a project's files to CompiledArtifacts, and back."""
