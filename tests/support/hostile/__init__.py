"""Files that try to run code when a model is loaded.

The classic ones, windows on memory, and other doors.

Each leaves a mark if it succeeds. They are made as bytes; nothing here runs them.
"""
