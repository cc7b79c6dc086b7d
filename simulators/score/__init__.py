"""What a running Voltair found, against what really happened."""
