"""The pictures of README and docs, and what else is about the page as a browser shows it."""
