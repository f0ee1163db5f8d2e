"""What processes share: counters, answers, messages. Knows no provider, no user and no route."""
