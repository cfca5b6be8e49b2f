"""What is measured on models: accuracy on labeled images."""
