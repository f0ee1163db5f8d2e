"""HTTP in front of the services: routes, policy, errors, streams, the page. Decides nothing about chats or accounts."""
