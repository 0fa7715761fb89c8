"""Files, the only place where display values exist."""
