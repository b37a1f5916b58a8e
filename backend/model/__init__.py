"""The network: encoder → frequency adaptor → decoder with identity embedding → head → PCA."""
