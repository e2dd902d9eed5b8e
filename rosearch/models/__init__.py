"""Any transformers model: where its weights lie, how long a text it reads, and the device that it runs on."""
