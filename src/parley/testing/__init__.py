"""What a provider author proves a provider with: recordings and a server that replays them. Imports no test framework."""
