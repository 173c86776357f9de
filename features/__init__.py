"""What we know now: features declared once, kept online and rebuilt offline."""
