"""The command line. Knows the library's Client and Rich; no wire, no vendor, no server."""
