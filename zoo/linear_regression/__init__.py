"""Linear regression by gradient descent, compared with the least-squares solution."""
