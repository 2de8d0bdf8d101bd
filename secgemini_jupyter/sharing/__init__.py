"""A notebook on its way to others: what is stripped from it before it is shared, and what a headless run leaves out."""
