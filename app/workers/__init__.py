"""Child processes that survive hostile input, admission control, and the jobs that children do.

Only `jobs` and `blueprint` import the pipeline; nothing here knows HTTP, settings or metrics.
"""
