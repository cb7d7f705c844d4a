"""One page with tables and pictures of everything that was measured."""
