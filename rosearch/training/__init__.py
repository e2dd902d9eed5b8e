"""Training: the teacher and its cached outputs, the methods of distillation, the training loop."""
