"""Logs as rows: formats, times, and what a row says about a login."""
