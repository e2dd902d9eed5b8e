"""Forward passes of the model under attack that do less work for the same logits."""
