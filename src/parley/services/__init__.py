"""What the product does: accounts, chats, providers. No HTTP, no SQL, no vendor names."""
