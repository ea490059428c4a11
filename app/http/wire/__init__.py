"""What happens to a connection's bytes before they are a request: limits of heads, chunks, time and number.

Knows uvicorn and h11, and of the service no more than its metrics. `app.http.server` puts it together.
"""
