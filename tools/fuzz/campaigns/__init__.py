"""Campaigns: each tries inputs until its budget is spent and returns a `Tally`."""
