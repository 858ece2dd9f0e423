"""The pages for browsers: status, login and chat."""
