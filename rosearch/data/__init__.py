"""Tasks: loaded from the hub, from files or from the grammar; tokenised once; served in batches."""
