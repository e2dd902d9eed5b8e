"""The experiment file: every key as a model with its rules, and how a file becomes an `Experiment`."""
