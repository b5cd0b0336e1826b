"""What is shipped: the wheel and the set-up."""
