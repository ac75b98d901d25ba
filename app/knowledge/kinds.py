"""Which kinds of files are read, and by which version of the readers."""

VERSION = 1
"""Changes when a reader makes other passages of the same bytes."""

PDF = ".pdf"
HTML = frozenset({".html", ".htm", ".xhtml"})
MARKDOWN = frozenset({".md", ".markdown"})
PLAIN = frozenset({".txt", ".text", ".rst"})
SUFFIXES = frozenset({PDF, *HTML, *MARKDOWN, *PLAIN})
"""What is read of a folder. A file that is named itself is read whatever its name."""
