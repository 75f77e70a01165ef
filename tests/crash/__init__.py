"""Real processes killed, real servers restarted, real loads side by side: afterwards everything is as if nothing had happened."""
