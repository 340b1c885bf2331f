"""How infants lie, sit and move."""
