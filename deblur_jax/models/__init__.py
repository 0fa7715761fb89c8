"""Networks that map batches of images to arrays; one file for each paper."""
