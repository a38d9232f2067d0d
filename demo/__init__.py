"""The small world that `tenfold demo` lives in."""
