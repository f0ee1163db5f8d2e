"""Finds the providers, reads their configuration, and returns them guarded. Knows no wire and no vendor."""
