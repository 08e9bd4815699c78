"""JSON-RPC: one module a namespace, each with a table of its methods, and the dispatcher over them."""
