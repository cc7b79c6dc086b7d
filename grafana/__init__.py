"""Dashboards as generated JSON, provisioning, and their generator."""
