"""HTTP only: each module turns a request into a job and its result into an answer.

May import `app.dependencies`, `app.http` and everything below them.
"""
