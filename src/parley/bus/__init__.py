"""What the replicas of one installation tell each other."""
