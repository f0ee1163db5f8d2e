"""How bytes travel: one shared client, credentials, errors. Knows no vendor."""
