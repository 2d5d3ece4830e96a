"""Hostile programs and the world that they attack."""
