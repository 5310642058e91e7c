"""The remote objects that clients find: factory, connections, topics, queues and administration."""
