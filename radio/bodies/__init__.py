"""What bodies in the way cost: silhouettes, model B, diffraction, and the references they are held against."""
