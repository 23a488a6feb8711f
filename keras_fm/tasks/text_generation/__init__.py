"""Text generation by a character model: prompts in, their continuations out."""
