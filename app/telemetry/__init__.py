"""What the service reports about itself: metrics, traces and log lines, never payloads, file names or addresses.

May import the results of the pipeline and the reasons that `app.workers` counts.
"""
