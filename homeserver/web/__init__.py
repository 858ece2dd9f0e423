"""The pages that people see in a browser: status, login and chat."""
