"""The HTTP edge: routing, middleware, error mapping, health, the built page."""
