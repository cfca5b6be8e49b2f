"""What is measured on models: accuracy on labelled images."""
