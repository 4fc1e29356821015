"""How somebody comes to the pages within a service: routes, sign-in, sockets, files, and who is visiting."""
