"""Active and standby with sockets and disks: what a member of the cluster decides (`rmimom.cluster`) is done here."""
