"""The screens, one module each. A module's `routes` returns what a dashboard serves of it."""
