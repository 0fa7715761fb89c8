"""Motion and scenes, born on the device from a key."""
