"""What a person sees on a terminal: tables, progress, one line of a figure."""
