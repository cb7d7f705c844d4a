"""The networks: one bidirectional Llama for the whole family, and its checkpoints.

Shape letters, everywhere in this room: T packed tokens · S sequences · D hidden size · N query
heads · K key/value heads · H head size · F feed-forward size · V vocabulary · L layers.
"""
