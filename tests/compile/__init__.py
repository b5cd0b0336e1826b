"""Tests of CompiledArtifacts."""
