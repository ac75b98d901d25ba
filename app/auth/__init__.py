"""Proving who someone is: visitors, session tokens, tickets."""
