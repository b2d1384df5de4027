"""How fast things are to be, as rows: a ratio, its bound, what measures it."""
