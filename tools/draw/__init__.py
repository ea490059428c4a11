"""Draws the pictures of the documentation: the Grafana dashboard, without Grafana, the label and the web page."""
