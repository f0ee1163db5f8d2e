"""What no author can break: the contract's rules, held around every provider. Knows no sockets and no vendor."""
