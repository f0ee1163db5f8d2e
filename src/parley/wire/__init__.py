"""How vendors write it down: bytes in, events out. Knows no client, no clock and no configuration."""
