"""E-mail: read from hostile bytes with bounds; what is recorded in it, never what somebody claims about it."""
