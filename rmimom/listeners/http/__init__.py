"""The HTTP interface of the administration (docs/design/0015): facts and orders as JSON, events, health and metrics."""
