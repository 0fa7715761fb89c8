"""Networks: batches of images to arrays, one file a paper."""
