"""How the world asks: HTTP routes by role, sign-in, errors, the command line."""
