"""Linear regression by gradient descent, and how near it comes to the least-squares solution."""
