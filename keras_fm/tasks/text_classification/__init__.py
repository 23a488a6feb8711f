"""Text classification: texts in, class names and probabilities out."""
