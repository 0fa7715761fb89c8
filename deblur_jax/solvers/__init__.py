"""Deconvolution as fixed-length scans."""
