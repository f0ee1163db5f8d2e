"""What survives a restart. Knows SQL and nothing of HTTP, providers or who may see what."""
