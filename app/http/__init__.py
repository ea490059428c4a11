"""What every HTTP request meets: the server, the middleware, uploads, API keys and problem documents.

May import `app.service` and everything below it, but nothing about pictures. Routes live in `app.routers`.
"""
