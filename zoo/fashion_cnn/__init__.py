"""Small residual convolutional network for Fashion-MNIST."""
