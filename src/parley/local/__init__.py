"""Models on this machine: what a file says of itself, where added ones lie, and the process that runs one.

Knows no wire and no provider.
"""
