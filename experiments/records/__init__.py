"""What a run leaves: its record, its series, its verdict, and the folders that hold them."""
