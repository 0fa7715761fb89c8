"""The local web page: server, queue and worker process."""
