"""Planning and writing with a language model, where one is configured."""
