"""Small parts with no product words in them."""
