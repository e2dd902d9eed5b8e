"""Robust encodings of words, built from a task's words and a vocabulary; the student's tokenizer applies them."""
