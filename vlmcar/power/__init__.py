"""How good is verification? Measured on programs that ground truth has called right or wrong."""
