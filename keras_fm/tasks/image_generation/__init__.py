"""Image generation by a class-conditional GAN: labels and seeds in, images out."""
