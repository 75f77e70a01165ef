"""What must be true: the reference model, and the recount that reads a real stack with it. Shares no code with `plugins/`."""
