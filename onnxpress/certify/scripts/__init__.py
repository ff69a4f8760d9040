"""What runs inside the other runtimes: each file needs nothing but the runtime, and numpy."""
