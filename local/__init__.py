"""The native local stack: real servers on 127.0.0.1 without Docker, and the demo on them."""
