"""Image formation and sampling: one unbatched image in, one out."""
