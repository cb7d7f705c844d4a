"""One model's queue and threads: texts of many callers become batches, and batches vectors."""
