"""All that candidates of one run are made of: prepared once by the driver, opened by each worker."""
