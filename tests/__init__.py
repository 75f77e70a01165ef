"""Tests: their names are laws. They own a stack of real servers, made by `local.stack`."""
