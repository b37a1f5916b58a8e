"""What computes the network: one interface (`base.Engine`), with torch and with ONNX Runtime."""
