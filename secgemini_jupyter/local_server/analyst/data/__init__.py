"""What the analyst knows without a network: ATT&CK and CWE from the package, and what the user imported."""

FOLDER = "analyst"
"""Of what the user imported, in the server's data folder."""
