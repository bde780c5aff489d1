"""The scenarios that come with the package, and the schema they follow."""
