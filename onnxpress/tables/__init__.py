"""Tables: read from files, typed, split, and what may surprise about them.

==============================================  ==========================================
``sources``, ``csv_file``, ``parquet_file``     read a table from a file
``csv_types``                                   the type of a CSV column, by its cells
``pieces``                                      tables of any size, typed by a schema
``column_types``, ``arrow_types``               the type of every column in the end
``schema``, ``rows``, ``names``                 what the models take
``split``                                       training, calibration and test rows
``table_warnings`` and the ``*_findings``       lines about what may surprise
``stray_text``, ``lookalikes``                  text that is meant as something else
``cells``, ``wording``                          how values are written into files and lines
==============================================  ==========================================
"""
