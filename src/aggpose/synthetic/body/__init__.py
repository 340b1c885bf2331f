"""Who the infants are, and their bodies, clothes and key points."""
