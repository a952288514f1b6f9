"""The plots of training and evaluation."""
