"""What HTTP itself demands of every request: connections, limits, keys, identifiers and problem documents.

Knows nothing of pictures. Routes live in `app.routers`, what they ask for in `app.dependencies`.
"""
