"""The commands of `tenfold`, one file each."""
