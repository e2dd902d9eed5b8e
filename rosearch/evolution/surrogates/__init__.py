"""The reward predictors of KD-NAS, for encoders that were not distilled yet. Only the LSTM needs torch."""
