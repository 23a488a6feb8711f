"""Classification of rows: a table's columns in, class names and probabilities out."""
