"""What people read: pictures, the summary, the page."""
