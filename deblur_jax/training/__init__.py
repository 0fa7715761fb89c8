"""The one loop that trains every task, and what surrounds it."""
