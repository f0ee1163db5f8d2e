"""How a request finds its answer: which provider a model's name means. Knows no wire and no vendor."""
