"""One module per library, each with its peers."""
