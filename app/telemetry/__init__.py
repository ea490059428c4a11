"""What the service tells of itself: metrics, traces and log lines.

Never payloads, file names or addresses.
"""
