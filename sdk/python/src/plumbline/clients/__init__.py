"""The providers' clients: how their calls are found, read and handed on."""
