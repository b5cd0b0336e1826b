"""What needs an extra: `make test-extras` runs each module where the extra's packages are."""
