"""What VLM-CaR is compared with: a judge (or none) each, and the same code after it."""
