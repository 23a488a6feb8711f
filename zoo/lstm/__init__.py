"""Bidirectional LSTM for binary sentiment classification of film reviews."""
