"""Importing a module of this folder registers its scenarios."""
