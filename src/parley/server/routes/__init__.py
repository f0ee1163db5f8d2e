"""The routes of `/api/v1`, one module per subject: JSON in, a service's method, JSON out. No rule of the product is written here."""
