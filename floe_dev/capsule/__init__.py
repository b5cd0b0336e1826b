"""The failure capsule: one zip of everything that explains a failure, without secrets, opened again offline."""
