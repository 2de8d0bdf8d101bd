"""Addresses of the web, taken apart without asking anybody: no DNS, no request."""
