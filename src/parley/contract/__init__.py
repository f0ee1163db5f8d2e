"""What a provider is: types and errors. Depends on msgspec alone; this is what third parties import."""
