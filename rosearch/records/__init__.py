"""What a run remembers: measurements, records, their store (SQLite) and the folder that holds it all."""
