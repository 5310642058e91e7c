"""The name server rmimom-ns: Pyro5's own, with durable storage; imported as rmimom.nameserver."""
