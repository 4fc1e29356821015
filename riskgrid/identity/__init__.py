"""Who asks a service: keys of services, tokens of an issuer, and the rights that each gives."""
