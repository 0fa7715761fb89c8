"""One file a task: what makes a run this run."""
