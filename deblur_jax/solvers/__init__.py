"""Deconvolution by fixed-length scans."""
