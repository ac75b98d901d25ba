"""How often somebody may do something, on all nodes together."""
