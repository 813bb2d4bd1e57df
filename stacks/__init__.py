"""The infrastructure: one stack, and its settings."""
