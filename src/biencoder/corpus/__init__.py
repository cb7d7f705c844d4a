"""Reading what people have: text files, JSONL, BEIR folders."""
