"""Any transformers model: the place of its weights, reading and saving, its head, its lengths, its device."""
