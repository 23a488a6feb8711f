"""Image classification: images in, class names and probabilities out."""
