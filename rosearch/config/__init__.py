"""The files that users write: every key of an experiment, and how a file becomes one."""
