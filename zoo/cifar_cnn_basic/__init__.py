"""The tutorial's convolutional network."""
