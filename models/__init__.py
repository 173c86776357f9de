"""What we learn: scorecards and models, their versions and labels."""
