"""Object stores: one adapter each, behind one protocol."""
