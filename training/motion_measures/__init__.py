"""What can be said of a mouth and its sound, with and without measured motion to compare with."""
