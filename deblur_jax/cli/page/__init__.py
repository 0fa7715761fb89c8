"""The local page: what the browser gets, the queue behind it, the process that restores."""
