"""Runs small periodic jobs; knows none of them."""
