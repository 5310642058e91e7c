"""The name server `rmimom-ns`: Pyro5's own service, with names kept on disk.  Imported as rmimom.nameserver."""
