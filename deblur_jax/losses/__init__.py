"""Objectives: arrays to a scalar."""
