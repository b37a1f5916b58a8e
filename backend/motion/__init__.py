"""Pure stages after the network, `FaceMotion` in and `FaceMotion` out, one per file."""
