"""DataLens as code: one set of definitions (board/*.yaml) for hosted, Enterprise and open-source DataLens.

definitions   reads board/ and says in words what is wrong with it
entries       the definitions as the bodies of DataLens' entries: connection, datasets, charts, dashboard
hosted        brings a workbook to that state through the official SDK
workbook      the same as a file that open-source DataLens imports
"""
