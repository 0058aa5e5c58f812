"""What the hot paths cost, beside the least they could: `python -m tests.bench --help`."""
