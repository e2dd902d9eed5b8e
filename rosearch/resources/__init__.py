"""Word lists and small models that attacks and distillation read: local files, never downloads."""
