"""Character-level language model of Shakespeare: two LSTM layers that continue a prompt."""
