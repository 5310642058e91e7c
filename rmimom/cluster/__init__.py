"""Active and standby: who may serve, decided without clocks."""
