"""Everything that a person sees on a terminal: tables, progress, errors, JSON."""
