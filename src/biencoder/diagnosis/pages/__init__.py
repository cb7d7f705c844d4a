"""Is this page checkpoint right? What `check` looks at beyond a text model."""
