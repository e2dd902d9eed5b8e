"""The controller of KD-NAS: it predicts the reward of encoders that were not distilled yet. Torch only for the LSTM."""
