"""What the run found, as pictures: labelled, readable in grey, and the same bytes for the same data."""
