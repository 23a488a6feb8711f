"""Character-level language model of film reviews, from which `char_lstm` is initialized."""
