"""The RMI door: Pyro5's wire protocol on asyncio."""
