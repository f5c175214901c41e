"""The built-in web console: a live picture of the fleet, its routes and its page."""
