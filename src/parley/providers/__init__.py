"""Who Parley can talk to: one declarative file per provider, called like it. Nothing is imported until it is asked for."""
