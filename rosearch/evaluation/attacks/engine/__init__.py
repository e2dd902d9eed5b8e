"""The attack engine: rows compiled into plans once, then attacked in lockstep, for each student."""
