"""One module a service of the local stack: how it is configured, started and known to be ready."""
