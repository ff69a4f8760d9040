"""CSV and Parquet files as typed columns, and warnings about what in them may surprise."""
