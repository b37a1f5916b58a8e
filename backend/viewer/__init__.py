"""A page that plays a face and its sound in any browser, without a network."""
