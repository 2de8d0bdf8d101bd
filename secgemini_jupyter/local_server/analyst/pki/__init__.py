"""Certificates and what comes with them, read from hostile bytes. Private keys are named, never read or shown."""
