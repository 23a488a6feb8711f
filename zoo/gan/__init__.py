"""Class-conditional GAN for Fashion-MNIST: generator and discriminator."""
