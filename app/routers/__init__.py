"""HTTP only: each module turns a request into a call and a result into an answer."""
