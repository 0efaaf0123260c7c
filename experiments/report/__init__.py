"""The result as a self-contained web page and as figures, made from the records of a results folder only."""
