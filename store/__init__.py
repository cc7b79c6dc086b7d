"""The journal, the state, the series stores and the writer that ships to them."""
