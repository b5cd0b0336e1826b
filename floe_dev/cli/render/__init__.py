"""How things look: pure functions from data to text, and the progress views."""
