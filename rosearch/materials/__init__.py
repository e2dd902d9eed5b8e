"""The materials of a run, which its candidates share: the driver prepares them once, each worker opens them."""
