"""Accounts: who may sign in, and what is known of them. Knows no HTTP and no SQL."""

from __future__ import annotations

from parley.services.principals import Principal

__all__ = ["Principal"]
