"""Requests and answers over a line that drops, doubles and delays: lanes, retries, counts and the last frames."""
