"""The images of the stacks' containers: built from package registries, listed, moved as files."""
