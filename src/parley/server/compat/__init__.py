"""The vendors' own wires, spoken by us: existing tools work by changing a base URL. Knows wires, and nobody behind them."""
