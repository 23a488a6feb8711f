"""Small BERT encoder, pretrained by masked language modeling, for text classification."""
