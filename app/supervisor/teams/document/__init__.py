"""The document team: summary, outline, facts and counts of text a person supplied."""
