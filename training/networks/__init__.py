"""The networks of reverse distillation, in plain torch."""
