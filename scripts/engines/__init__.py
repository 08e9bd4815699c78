"""The engine core behind the public matching benchmark."""
