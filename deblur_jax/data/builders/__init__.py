"""Builders of public data sets, which prepare manually downloaded files; one module each."""
