"""The one entry object that wires everything for the command line and pytest."""
