"""The web console (docs/design/0018): pages and forms over the operations of the HTTP interface."""
