"""Photographs by index; batches in NumPy. No array here touches a device."""
