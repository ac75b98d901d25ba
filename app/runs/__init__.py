"""Accept a message, queue it, lease it, run it, recover it, snapshot it."""
