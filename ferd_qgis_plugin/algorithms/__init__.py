"""The Processing algorithms: declare, read parameters, call the engine, return."""
