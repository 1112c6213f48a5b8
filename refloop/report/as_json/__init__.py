"""The values as JSON shows them. People script against these names and shapes: they are added to, never changed."""
