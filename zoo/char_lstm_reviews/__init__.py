"""char_lstm's network, that has read film reviews: it writes them, and char_lstm starts from it."""
