"""Draws the Grafana dashboard as a picture, without Grafana."""
