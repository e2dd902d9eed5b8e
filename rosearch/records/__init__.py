"""The records of a run, their store (SQLite), and the folder that holds it all."""
