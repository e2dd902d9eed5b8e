"""TextAttack behind one door: only `recipes` imports it, and only when an attack is opened."""
