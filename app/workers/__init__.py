"""Child processes that survive hostile input, the jobs that they are handed, and who gets in.

Knows nothing of HTTP, settings or metrics.
"""
