"""PostgreSQL and Valkey of our own, as child processes of the default run."""
