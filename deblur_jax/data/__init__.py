"""Training data: examples by index, and batches in NumPy on the host, without JAX."""
