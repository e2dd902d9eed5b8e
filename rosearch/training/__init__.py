"""From a teacher to a student: the teacher's weights, its cached outputs, the losses and the training."""
