"""Monitoring as code: panel and dashboard specs rendered from the dictionaries."""
