"""Speed and memory, printed as tables by `build.py bench`; never asserted on a clock."""
