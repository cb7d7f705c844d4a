"""Judging retrieval: metrics in trec_eval's sense, exact search, corpora in BEIR layout."""
